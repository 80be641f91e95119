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
  void respond(Response response) noexcept override { mailbox_->put(id_, std::move(response)); }

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  const std::uint64_t id_;
};

Responder Mailbox::make_responder(std::uint64_t id) {
  return Responder(std::make_shared<Slot>(shared_from_this(), id));
}

void Mailbox::put(std::uint64_t id, Response response) {
  MutexLock lock(mutex_);
  if (closed_) return;
  answers_.push_back({id, std::move(response)});
  // Under the lock, so that close() is a barrier: no wake-up after it.
  if (answers_.size() == 1) wake_();
}

void Mailbox::take(std::vector<Answer>& into) {
  into.clear();
  MutexLock lock(mutex_);
  into.swap(answers_);
}

void Mailbox::close() {
  std::function<void()> wake;
  std::vector<Answer> answers;
  MutexLock lock(mutex_);
  closed_ = true;
  wake.swap(wake_);
  answers.swap(answers_);
}

}  // namespace spanway::http
