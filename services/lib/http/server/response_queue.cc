#include "services/lib/http/server/response_queue.h"

namespace spanway::http {
namespace {

constexpr std::uint16_t kAbnormalClosure = 1006;

}  // namespace

class ResponseQueue::Slot final : public Responder::Target {
 public:
  Slot(std::shared_ptr<ResponseQueue> queue, std::uint64_t id)
      : responses_(std::move(queue)), id_(id) {
    responses_->unanswered_.fetch_add(1, std::memory_order_relaxed);
  }
  ~Slot() override { responses_->unanswered_.fetch_sub(1, std::memory_order_relaxed); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  void respond(Response response) noexcept override {
    responses_->put({.id = id_, .response = std::move(response)});
  }
  ResponseStream start_stream(Response head, std::shared_ptr<StreamObserver> observer,
                              StreamOptions options) override {
    return responses_->start_stream(id_, std::move(head), std::move(observer), std::move(options));
  }
  WebSocket accept_web_socket(std::shared_ptr<WebSocketObserver> observer,
                              WebSocketOptions options) override {
    return responses_->accept_web_socket(id_, std::move(observer), std::move(options));
  }
  void on_peer_gone(std::function<void()> callback) override {
    responses_->on_peer_gone(id_, std::move(callback));
  }

 private:
  const std::shared_ptr<ResponseQueue> responses_;
  const std::uint64_t id_;
};

Responder ResponseQueue::make_responder(std::uint64_t id) {
  return Responder(std::make_shared<Slot>(shared_from_this(), id));
}

bool ResponseQueue::put(Answer answer) {
  MutexLock lock(mutex_);
  if (closed_) return false;
  answers_.push_back(std::move(answer));
  // Under the lock, so that close() is a barrier: no wake-up after it.
  if (answers_.size() == 1) wake_();
  return true;
}

ResponseStream ResponseQueue::start_stream(std::uint64_t id, Response head,
                                           std::shared_ptr<StreamObserver> observer,
                                           StreamOptions options) {
  Bytes first = std::move(head.body);
  auto body = std::make_shared<StreamBody>(std::move(observer), std::move(options), stream_bytes_,
                                           resumer(id));
  body->write(first.view(), &first);
  if (!put({.id = id, .response = std::move(head), .stream = body})) body->abandon();
  return ResponseStream(std::move(body));
}

WebSocket ResponseQueue::accept_web_socket(std::uint64_t id,
                                           std::shared_ptr<WebSocketObserver> observer,
                                           WebSocketOptions options) {
  auto channel = std::make_shared<WebSocketChannel>(std::move(observer), std::move(options),
                                                    stream_bytes_, resumer(id));
  if (!put({.id = id, .response = {}, .web_socket = channel})) channel->end(0, /*report=*/false);
  return WebSocket(std::move(channel));
}

void ResponseQueue::on_peer_gone(std::uint64_t id, std::function<void()> callback) {
  if (!put({.id = id, .response = {}, .on_peer_gone = callback})) callback();
}

std::function<void()> ResponseQueue::resumer(std::uint64_t id) {
  return [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->put({.id = id, .response = {}, .resumes = true});
  };
}

void ResponseQueue::take(std::vector<Answer>& into) {
  into.clear();
  MutexLock lock(mutex_);
  into.swap(answers_);
}

void ResponseQueue::close() {
  std::function<void()> wake;
  std::vector<Answer> answers;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    wake.swap(wake_);
    answers.swap(answers_);
  }
  for (const Answer& answer : answers) {
    if (answer.stream) answer.stream->cancel(CancelReason::kConnectionEnded);
    if (answer.web_socket) answer.web_socket->end(kAbnormalClosure);
    if (answer.on_peer_gone) answer.on_peer_gone();
  }
}

}  // namespace spanway::http
