#include "services/lib/http/mailbox.h"

namespace spanway::http {

class Mailbox::Slot final : public Responder::Target {
 public:
  Slot(std::shared_ptr<Mailbox> mailbox, std::uint64_t id) : mailbox_(std::move(mailbox)), id_(id) {
    mailbox_->unanswered_.fetch_add(1, std::memory_order_relaxed);
  }
  ~Slot() override { mailbox_->unanswered_.fetch_sub(1, std::memory_order_relaxed); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  void respond(Response response) noexcept override {
    mailbox_->put({.id = id_, .response = std::move(response)});
  }
  ResponseStream start_stream(Response head, std::shared_ptr<StreamObserver> observer,
                              StreamOptions options) override {
    return mailbox_->start_stream(id_, std::move(head), std::move(observer), options);
  }

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  const std::uint64_t id_;
};

Responder Mailbox::make_responder(std::uint64_t id) {
  return Responder(std::make_shared<Slot>(shared_from_this(), id));
}

bool Mailbox::put(Answer answer) {
  MutexLock lock(mutex_);
  if (closed_) return false;
  answers_.push_back(std::move(answer));
  // Under the lock, so that close() is a barrier: no wake-up after it.
  if (answers_.size() == 1) wake_();
  return true;
}

ResponseStream Mailbox::start_stream(std::uint64_t id, Response head,
                                     std::shared_ptr<StreamObserver> observer,
                                     StreamOptions options) {
  Bytes first = std::move(head.body);
  auto body = std::make_shared<StreamBody>(
      std::move(observer), options, stream_bytes_, [weak = weak_from_this(), id] {
        if (const auto self = weak.lock()) self->put({.id = id, .response = {}, .resumes = true});
      });
  body->write(first.view(), &first);
  if (!put({.id = id, .response = std::move(head), .stream = body})) body->abandon();
  return ResponseStream(std::move(body));
}

void Mailbox::take(std::vector<Answer>& into) {
  into.clear();
  MutexLock lock(mutex_);
  into.swap(answers_);
}

void Mailbox::close() {
  std::function<void()> wake;
  std::vector<Answer> answers;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    wake.swap(wake_);
    answers.swap(answers_);
  }
  for (const Answer& answer : answers)
    if (answer.stream) answer.stream->cancel(CancelReason::kConnectionEnded);
}

}  // namespace spanway::http
