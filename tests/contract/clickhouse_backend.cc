#include "tests/contract/clickhouse_backend.h"

#include <chrono>
#include <ctime>
#include <string>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/sinks/clickhouse/clickhouse_sink.h"
#include "tests/fakes/fake_clickhouse.h"

namespace spanway::contract {
namespace {

using fakes::SeenRequest;
using sinks::clickhouse_answer;

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

// The answer of a proxy in front of the server.
http::Response proxy_answer(int status, const std::string& retry_after = {}) {
  http::Response response = fakes::http_answer(status, "no");
  if (!retry_after.empty()) response.headers.add("retry-after", retry_after);
  return response;
}

fakes::Answer answer_of(BackendAnswer kind) {
  switch (kind) {
    case BackendAnswer::kAccept:
      return clickhouse_answer();
    case BackendAnswer::kBusy:
      return clickhouse_answer(500, "no free connection", "203");
    case BackendAnswer::kRetryAfter:
      return proxy_answer(429, "7");
    case BackendAnswer::kRetryAfterDate:
      return proxy_answer(503, http_date_in(std::chrono::seconds(7)));
    case BackendAnswer::kBadData:
      return clickhouse_answer(400, "incorrect data", "117");
    case BackendAnswer::kTooLarge:
      return proxy_answer(413);
    case BackendAnswer::kUnauthenticated:
      return clickhouse_answer(403, "wrong password", "516");
    case BackendAnswer::kForbidden:
      return clickhouse_answer(403, "no grant", "497");
    case BackendAnswer::kNotFound:
      return clickhouse_answer(404, "no table", "60");
    case BackendAnswer::kBroken:
      return proxy_answer(500);
    case BackendAnswer::kHuge:
      return clickhouse_answer(200, std::string(kHugeBytes, 'x'));
    case BackendAnswer::kHugeRefusal:
      return clickhouse_answer(500, std::string(kHugeBytes, 'x'), "117");
    case BackendAnswer::kPartial:
    case BackendAnswer::kHang:
      break;
  }
  return std::nullopt;
}

// Counts data inserts only: a batch is one of these, besides the question for columns and its
// dictionary rows, which are always answered.
class ClickHouseBackend final : public Backend {
 public:
  ClickHouseBackend() { answer_with(BackendAnswer::kAccept); }
  bool can(BackendAnswer kind) const override { return kind != BackendAnswer::kPartial; }
  bool takes(otlp::Signal /*signal*/) const override { return true; }

  std::unique_ptr<pipeline::Sink> make_sink(const Limits& limits) override {
    sinks::ClickHouseSinkOptions options;
    options.client.url = backend_.url();
    options.client.database = "otel";
    options.in_flight_max = limits.in_flight_max;
    options.insert_timeout = limits.timeout;
    auto sink = sinks::ClickHouseSink::create(options, {io_, system_clock(), {log_, metrics_}});
    SPANWAY_CHECK(sink.ok());
    return std::move(sink).value();
  }

  void answer_with(BackendAnswer kind) override {
    backend_.answer_with(
        sinks::clickhouse_script([kind](const SeenRequest&) { return answer_of(kind); }));
  }
  std::size_t requests() const override { return backend_.count(sinks::is_data_insert); }
  bool wait_for_requests(std::size_t count) const override {
    return backend_.wait_for_requests(count, sinks::is_data_insert);
  }
  void release() override {
    backend_.release([] { return clickhouse_answer(); });
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

std::unique_ptr<Backend> make_clickhouse_backend() { return std::make_unique<ClickHouseBackend>(); }

}  // namespace spanway::contract
