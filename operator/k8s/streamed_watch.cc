#include "operator/k8s/streamed_watch.h"

#include <string_view>
#include <utility>

#include "operator/k8s/status_error.h"

namespace spanway::kube {

StreamedWatch::StreamedWatch(std::shared_ptr<http::Http2Client> streams,
                             StreamedWatchRequest request, const Secret& token,
                             StreamedWatchHooks hooks, WatchCallbacks callbacks)
    : streams_(std::move(streams)),
      request_(std::move(request)),
      hooks_(std::move(hooks)),
      callbacks_(std::move(callbacks)),
      decoder_(request_.what) {
  open(token);
}

StreamedWatch::~StreamedWatch() {
  cancel();
  MutexLock lock(mutex_);
  ended_changed_.wait(mutex_, [this]() SPANWAY_REQUIRES(mutex_) { return ended_; });
}

void StreamedWatch::cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
  if (fallback_ != nullptr) fallback_->cancel();
  streams_->cancel(stream_);
}

void StreamedWatch::open(const Secret& token) {
  http::StreamRequest request{.path = request_.target,
                              .headers = {},
                              .head_timeout = request_.head_timeout,
                              .silence_max = request_.silence_max};
  request.headers.add("accept", "application/json");
  request.headers.add("user-agent", request_.user_agent);
  if (!token.empty()) request.headers.add("authorization", "Bearer " + token.reveal());
  MutexLock lock(mutex_);
  stream_ = streams_->open(
      std::move(request),
      {.on_bytes = [this](std::string_view bytes) { return take(bytes); },
       .on_end = [this, token](
                     Result<http::Response> result) { stream_ended(token, std::move(result)); }});
  if (cancelled_) streams_->cancel(stream_);
}

bool StreamedWatch::take(std::string_view bytes) {
  auto next = decoder_.feed(bytes, callbacks_.on_event);
  if (next.ok()) return *next == WatchDecoder::Next::kMore;
  broken_ = std::move(next).error();
  return false;
}

void StreamedWatch::stream_ended(const Secret& token, Result<http::Response> result) {
  if (result.ok() && result->status == 401 && !std::exchange(renewed_, true)) {
    if (const auto fresh = hooks_.renew(token)) return open(*fresh);
  }
  if (!result.ok() && std::string_view(result.error().reason) == "no_http2") {
    MutexLock lock(mutex_);
    if (!cancelled_) {
      fallback_ = hooks_.without_http2(
          {callbacks_.on_event, [this](Status outcome) { end(std::move(outcome)); }});
      return;
    }
  }
  end(outcome_of(std::move(result)));
}

Status StreamedWatch::outcome_of(Result<http::Response> result) {
  if (broken_) return std::move(*broken_);
  if (!result.ok()) return std::move(result).error().with_context(request_.what);
  if (result->status == 200) return decoder_.finish();
  return error_of_answer(request_.what, result->status, std::string(result->body.view()),
                         parse_retry_after(std::string(result->headers.get("retry-after"))));
}

void StreamedWatch::end(Status outcome) {
  callbacks_.on_end(std::move(outcome));
  MutexLock lock(mutex_);
  ended_ = true;
  ended_changed_.notify_all();
}

}  // namespace spanway::kube
