// Spans on their way into ClickHouse: converting a request into blocks, encoding them as Native,
// and compressing. 8192 spans with eleven attributes, of which nine have a column of their own.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/base/random.h"
#include "services/lib/clickhouse/native_writer.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp_blocks {
namespace {

using namespace spanway::fakes;

constexpr std::uint64_t kSpans = 8192;
constexpr std::uint64_t kSpansPerTrace = 8;

std::vector<ProtoMessage> attributes(Random& random) {
  const auto number = [&](std::uint64_t bound) { return std::to_string(random.next_below(bound)); };
  return {otlp_attribute("http.request.method", "GET"),
          otlp_attribute("url.scheme", "https"),
          otlp_attribute("url.path", "/api/v2/customers/" + number(1'000'000) + "/orders"),
          otlp_attribute("http.route", "/api/v2/customers/{customer}/orders/" + number(12)),
          otlp_attribute("http.response.status_code", otlp_int(200)),
          otlp_attribute("server.address", "orders.shop.svc.cluster.local"),
          otlp_attribute("client.address", "10.1." + number(256) + ".7"),
          otlp_attribute("enduser.id", "user-" + number(100'000)),
          otlp_attribute("thread.id", otlp_int(static_cast<std::int64_t>(random.next_below(500)))),
          otlp_attribute("request.id", number(1'000'000'000)),
          otlp_attribute("cart.items", otlp_int(static_cast<std::int64_t>(random.next_below(9))))};
}

std::string request() {
  Random random(1);
  std::vector<ProtoMessage> spans;
  for (std::uint64_t i = 0; i < kSpans; ++i)
    spans.push_back(otlp_span(otlp_trace_id(random.next() | 1), otlp_span_id(random.next() | 1),
                              "GET /orders/" + std::to_string(i % kSpansPerTrace),
                              attributes(random)));
  return otlp_request_of(spans);
}

void report(benchmark::State& state, std::size_t bytes_in, std::size_t bytes_out) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kSpans));
  state.counters["bytes_in_per_span"] = static_cast<double>(bytes_in) / kSpans;
  state.counters["bytes_out_per_span"] = static_cast<double>(bytes_out) / kSpans;
}

void convert(benchmark::State& state) {
  const std::string payload = request();
  Converter converter;
  std::size_t memory = 0;
  for (auto _ : state) {
    auto blocks = converter.convert(otlp::Signal::kTraces, payload, {.tenant = "acme"});
    SPANWAY_CHECK(blocks.ok());
    memory = blocks->memory_bytes();
  }
  report(state, payload.size(), memory);
}
BENCHMARK(convert);

// With `compress`, all that the sink does for an insert but sending it.
void convert_and_encode(benchmark::State& state, bool compress) {
  const std::string payload = request();
  Converter converter;
  std::size_t sent = 0;
  for (auto _ : state) {
    auto blocks = converter.convert(otlp::Signal::kTraces, payload, {.tenant = "acme"});
    SPANWAY_CHECK(blocks.ok());
    Bytes body;
    clickhouse::append_native(blocks->data.front().rows, body);
    if (compress) body = http::encode(http::ContentCoding::kZstd, body.view()).value();
    sent = body.size();
  }
  report(state, payload.size(), sent);
}
BENCHMARK_CAPTURE(convert_and_encode, plain, false);
BENCHMARK_CAPTURE(convert_and_encode, zstd, true);

}  // namespace
}  // namespace spanway::otlp_blocks
