// The scan and the split of 512 spans of about 770 bytes with ten attributes, and of other shapes.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/base/random.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/split.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp {
namespace {

using namespace spanway::fakes;

constexpr std::uint64_t kSpans = 512;

std::string random_id(Random& random, std::size_t size) {
  std::string id;
  for (std::size_t i = 0; i < size; ++i) id += static_cast<char>(random.next() | 1);
  return id;
}

// A span as an HTTP server's instrumentation sends it.
std::vector<ProtoMessage> http_attributes(Random& random) {
  const auto number = [&](std::uint64_t bound) { return std::to_string(random.next_below(bound)); };
  return {
      otlp_attribute("http.request.method", "GET"),
      otlp_attribute("url.scheme", "https"),
      otlp_attribute("url.path",
                     "/api/v2/customers/" + number(1'000'000) + "/orders/" + number(99'999)),
      otlp_attribute("http.route", "/api/v2/customers/{customer}/orders/{order}"),
      otlp_attribute("http.response.status_code", otlp_int(200)),
      otlp_attribute("server.address", "orders.shop.svc.cluster.local"),
      otlp_attribute("client.address", "10." + number(256) + "." + number(256) + ".7"),
      otlp_attribute("user_agent.original",
                     "Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0"),
      otlp_attribute("enduser.id", "user-" + number(10'000'000)),
      otlp_attribute("thread.id", otlp_int(static_cast<std::int64_t>(random.next_below(500)))),
      otlp_attribute("deployment.note",
                     "canary release of the order service, second attempt after the roll back of " +
                         number(30) +
                         " May, watched by the team on duty; roll back again when more "
                         "than one request in a thousand fails within ten minutes")};
}

ProtoMessage resource_of(const std::vector<ProtoMessage>& items) {
  ProtoMessage resource;
  for (const char* key : {"service.name", "service.version", "k8s.pod.name", "k8s.namespace.name",
                          "host.name", "telemetry.sdk.language"})
    resource.message(1, otlp_attribute(key, std::string("value of ") + key));
  return ProtoMessage().message(1, resource).message(2, otlp_scope("io.example.http", items));
}

// `spans_per_trace` spans share an id, spread over the request.
std::string span_request(bool reversed, std::uint64_t spans_per_trace) {
  Random random(1);
  std::vector<std::string> traces;
  for (std::uint64_t i = 0; i < kSpans / spans_per_trace; ++i)
    traces.push_back(random_id(random, 16));
  std::vector<ProtoMessage> spans;
  for (std::uint64_t i = 0; i < kSpans; ++i) {
    spans.push_back(otlp_span(traces[random.next_below(traces.size())], random_id(random, 8),
                              "GET /api/v2/customers/{customer}/orders/{order}",
                              http_attributes(random))
                        .bytes(4, random_id(random, 8))
                        .fixed32(16, 0x101)
                        .message(15, ProtoMessage().varint(3, 1)));
  }
  return otlp_request({resource_of(spans)}).encode(reversed);
}

std::string log_request() {
  Random random(2);
  std::vector<ProtoMessage> records;
  for (std::uint64_t i = 0; i < kSpans; ++i) {
    records.push_back(otlp_log_record(
        "request finished in 12.7 ms with status 200, 1532 bytes sent to the client",
        random_id(random, 16), random_id(random, 8),
        {otlp_attribute("logger", "com.example.Orders"), otlp_attribute("thread", "worker-7")}));
  }
  return otlp_request({resource_of(records)}).encode();
}

std::string metric_request() {
  std::vector<ProtoMessage> metrics;
  for (int i = 0; i < 64; ++i) {
    std::vector<ProtoMessage> points;
    for (int j = 0; j < 8; ++j) {
      points.push_back(
          otlp_number_point(j, {otlp_attribute("http.request.method", "GET"),
                                otlp_attribute("http.response.status_code", otlp_int(200)),
                                otlp_attribute("http.route", "/api/v2/orders")}));
    }
    metrics.push_back(otlp_metric("http.server.request.duration", MetricKind::kSum, points));
  }
  return otlp_request({resource_of(metrics)}).encode();
}

// Names and values in a script that needs two bytes a character.
std::string cyrillic_request() {
  Random random(3);
  std::vector<ProtoMessage> spans;
  const std::string word = "\xd0\xb7\xd0\xb0\xd0\xba\xd0\xb0\xd0\xb7\xd1\x87\xd0\xb8\xd0\xba ";
  for (std::uint64_t i = 0; i < kSpans; ++i) {
    std::vector<ProtoMessage> attributes;
    for (int j = 0; j < 10; ++j) attributes.push_back(otlp_attribute("key", word + word + word));
    spans.push_back(otlp_span(random_id(random, 16), random_id(random, 8), word, attributes));
  }
  return otlp_request({resource_of(spans)}).encode();
}

void report(benchmark::State& state, const Index& index, const std::string& payload) {
  const auto items = static_cast<double>(index.items.size());
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(payload.size()));
  state.counters["bytes_per_item"] = static_cast<double>(payload.size()) / items;
  state.counters["per_item"] = benchmark::Counter(
      items, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void scan_of(benchmark::State& state, Signal signal, const std::string& payload) {
  Scanner scanner;
  for (auto step : state) {
    const Status status = scanner.scan(signal, payload);
    SPANWAY_CHECK(status.ok() && scanner.index().rejected == 0);
    benchmark::DoNotOptimize(scanner.index().items.data());
  }
  report(state, scanner.index(), payload);
}

void BM_ScanSpans(benchmark::State& state) {
  scan_of(state, Signal::kTraces, span_request(false, 1));
}
void BM_ScanSpansReversed(benchmark::State& state) {
  scan_of(state, Signal::kTraces, span_request(true, 1));
}
void BM_ScanLogs(benchmark::State& state) { scan_of(state, Signal::kLogs, log_request()); }
void BM_ScanMetrics(benchmark::State& state) { scan_of(state, Signal::kMetrics, metric_request()); }
void BM_ScanCyrillic(benchmark::State& state) {
  scan_of(state, Signal::kTraces, cyrillic_request());
}
BENCHMARK(BM_ScanSpans);
BENCHMARK(BM_ScanSpansReversed);
BENCHMARK(BM_ScanLogs);
BENCHMARK(BM_ScanMetrics);
BENCHMARK(BM_ScanCyrillic);

template <typename Work>
void cut_of(benchmark::State& state, const std::string& payload, Work work) {
  Scanner scanner;
  SPANWAY_CHECK(scanner.scan(Signal::kTraces, payload).ok());
  for (auto step : state) benchmark::DoNotOptimize(work(scanner.index(), payload));
  report(state, scanner.index(), payload);
}

void BM_SplitInto12(benchmark::State& state) {
  cut_of(state, span_request(false, 8), [](const Index& index, const std::string& payload) {
    return split(index, payload, {.partition_count = 12}).size();
  });
}
void BM_SplitBytesOf12(benchmark::State& state) {
  cut_of(state, span_request(false, 8), [](const Index& index, const std::string& payload) {
    return split_bytes(index, payload, {.partition_count = 12});
  });
}
void BM_SplitByTrace(benchmark::State& state) {
  cut_of(state, span_request(false, 8), [](const Index& index, const std::string& payload) {
    return split(index, payload, {.partition_count = 12, .by_trace = true}).size();
  });
}
BENCHMARK(BM_SplitInto12);
BENCHMARK(BM_SplitBytesOf12);
BENCHMARK(BM_SplitByTrace);

}  // namespace
}  // namespace spanway::otlp
