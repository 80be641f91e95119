#include "tests/contract/s3_backend.h"

#include <chrono>
#include <ctime>
#include <string>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/parquet_file/arrow/arrow_codec.h"
#include "services/lib/sinks/s3/s3_sink.h"
#include "tests/fakes/fake_s3.h"

namespace spanway::contract {
namespace {

using fakes::s3_refusal;
using fakes::s3_stored;
using fakes::SeenRequest;

constexpr std::size_t kHugeBytes = 5u << 20;

std::string http_date_in(std::chrono::seconds wait) {
  const std::time_t when = std::chrono::duration_cast<std::chrono::seconds>(
                               (system_clock().system_now() + wait).time_since_epoch())
                               .count();
  std::tm parts = {};
  gmtime_r(&when, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

http::Response with_wait(http::Response response, const std::string& retry_after) {
  response.headers.add("retry-after", retry_after);
  return response;
}

fakes::Answer answer_of(BackendAnswer kind) {
  switch (kind) {
    case BackendAnswer::kAccept:
      return s3_stored();
    case BackendAnswer::kBusy:
      return s3_refusal(503, "SlowDown");
    case BackendAnswer::kRetryAfter:
      return with_wait(fakes::http_answer(429),
                       "7");  // The answer of a proxy in front of the server.
    case BackendAnswer::kRetryAfterDate:
      return with_wait(s3_refusal(503, "SlowDown"), http_date_in(std::chrono::seconds(7)));
    case BackendAnswer::kTooLarge:
      return s3_refusal(400, "EntityTooLarge");
    case BackendAnswer::kUnauthenticated:
      return s3_refusal(403, "InvalidAccessKeyId");
    case BackendAnswer::kForbidden:
      return s3_refusal(403, "AccessDenied");
    case BackendAnswer::kNotFound:
      return s3_refusal(404, "NoSuchBucket");
    case BackendAnswer::kHuge:
      return s3_stored(std::string(kHugeBytes, 'x'));
    case BackendAnswer::kHugeRefusal:
      return s3_refusal(400, "EntityTooLarge", std::string(kHugeBytes, 'x'));
    case BackendAnswer::kBadData:  // An object store does not read what an object holds.
    case BackendAnswer::kBroken:   // A 500 is InternalError: it says to come back.
    case BackendAnswer::kPartial:
    case BackendAnswer::kHang:
      break;
  }
  return std::nullopt;
}

class S3Backend final : public Backend {
 public:
  S3Backend() { answer_with(BackendAnswer::kAccept); }
  bool can(BackendAnswer kind) const override {
    return kind != BackendAnswer::kPartial && kind != BackendAnswer::kBadData &&
           kind != BackendAnswer::kBroken;
  }
  bool takes(otlp::Signal) const override { return true; }

  std::unique_ptr<pipeline::Sink> make_sink(const Limits& limits) override {
    sinks::S3SinkOptions options = fakes::s3_sink_options(backend_.url());
    options.in_flight_max = limits.in_flight_max;
    options.put_timeout = limits.timeout;
    auto sink = sinks::S3Sink::create(std::move(options), {io_, system_clock(), {log_, metrics_}},
                                      parquet_file::arrow_codec());
    SPANWAY_CHECK(sink.ok());
    return std::move(sink).value();
  }
  void answer_with(BackendAnswer kind) override {
    backend_.answer_with([kind](const SeenRequest& seen) -> fakes::Answer {
      return seen.head.method == "GET" ? fakes::s3_empty_list() : answer_of(kind);
    });
  }
  std::size_t requests() const override { return backend_.requests().size(); }
  bool wait_for_requests(std::size_t count) const override {
    return backend_.wait_for_requests(count);
  }
  void release() override {
    backend_.release([] { return s3_stored(); });
  }
  bool stop() override {
    backend_.stop();
    return true;
  }
  void restart() override { backend_.restart(); }

 private:
  fakes::FakeHttpBackend backend_;
};

}  // namespace

std::unique_ptr<Backend> make_s3_backend() { return std::make_unique<S3Backend>(); }

}  // namespace spanway::contract
