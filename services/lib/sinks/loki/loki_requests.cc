#include "services/lib/sinks/loki/loki_requests.h"

#include <algorithm>
#include <utility>

#include "services/lib/http/snappy.h"
#include "services/lib/logstreams/single_resource.h"
#include "services/lib/logstreams/stream_converter.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {
namespace {

// The bytes that gzip and zstd may add to a body that cannot be compressed.
constexpr std::size_t kCompressionOverhead = 4096;
constexpr std::size_t kPendingBytesMin = 64u << 10;
constexpr std::size_t kPendingBytesMax = 2u << 20;
// A record's text in JSON may be six times as long as in OTLP.
constexpr std::size_t kRecordGrowthMax = 6;

using Streams = std::vector<std::vector<LokiRequest>>;

// The exporter's probe: a request without streams finds out whether Loki takes requests.
Status add_empty(const LokiRequestOptions& options, Streams& streams) {
  Bytes body;
  if (options.protocol == LokiConfig::Protocol::kPush) {
    body = http::snappy_encode({});
  } else if (options.compression != http::ContentCoding::kIdentity) {
    SPANWAY_ASSIGN(body, http::encode(options.compression, {}));
  }
  streams.emplace_back().push_back({.body = std::move(body)});
  return {};
}

// Loki shows each repetition of a record without any time.
class TimesFinder final : public otlp::RequestVisitor {
 public:
  Status on_log(const otlp::LogView& log) override {
    all_have_times_ = all_have_times_ && (log.time_unix_nano | log.observed_time_unix_nano) != 0;
    return {};
  }
  bool all_have_times() const noexcept { return all_have_times_; }

 private:
  bool all_have_times_ = true;
};

bool all_have_times(std::string_view request) {
  otlp::RequestReader reader;
  TimesFinder times;
  return reader.read(otlp::Signal::kLogs, request, times).ok() && times.all_have_times();
}

Status add_otlp(Bytes request, std::string_view tenant, const LokiRequestOptions& options,
                const StoredRequests& stored, Streams& streams) {
  SPANWAY_ASSIGN(const std::uint64_t entries,
                 otlp::count_items(otlp::Signal::kLogs, request.view()));
  if (entries == 0) return {};
  const std::uint64_t key = StoredRequests::key_of(tenant, request.view());
  if (stored.contains(key) && all_have_times(request.view())) return {};
  if (options.compression != http::ContentCoding::kIdentity) {
    SPANWAY_ASSIGN(request, http::encode(options.compression, request.view()));
  }
  streams.emplace_back().push_back({.body = std::move(request), .entries = entries, .key = key});
  return {};
}

Result<Streams> otlp_requests(pipeline::Batch& batch, const LokiRequestOptions& options,
                              const StoredRequests& stored) {
  // The requests of one resource, and their compressed form.
  if (!batch.permit.grow_to(batch.permit.bytes() + 2 * batch.payload.size() + kCompressionOverhead))
    return no_memory("divide a batch by its resources");
  SPANWAY_ASSIGN(std::vector<Bytes> requests,
                 logstreams::single_resource_requests(batch.payload.view()));
  if (requests.empty()) requests.push_back(std::move(batch.payload));
  batch.payload = Bytes();
  Streams streams;
  for (Bytes& request : requests)
    SPANWAY_TRY(add_otlp(std::move(request), batch.metadata.tenant, options, stored, streams));
  return streams;
}

Result<Streams> push_requests(pipeline::Batch& batch, const LokiRequestOptions& options,
                              std::uint64_t received_unix_nano, const StoredRequests& stored) {
  const std::size_t pending =
      std::clamp(2 * batch.payload.size(), kPendingBytesMin, kPendingBytesMax);
  const std::size_t working =
      batch.permit.bytes() + 2 * pending + kRecordGrowthMax * batch.payload.size();
  if (!batch.permit.grow_to(working)) return no_memory("convert a batch to Loki's streams");
  logstreams::ConverterOptions converter_options;
  converter_options.labels = options.labels;
  converter_options.request_bytes_max = std::min(pending, converter_options.request_bytes_max);
  converter_options.pending_bytes_max = pending;
  logstreams::Converter converter(std::move(converter_options));
  Streams streams;
  std::size_t bodies = 0;
  const auto add = [&](logstreams::PushRequest request) -> Status {
    // With the time of this sending, where a record has none.
    const std::uint64_t key = StoredRequests::key_of(batch.metadata.tenant, request.body.view());
    if (stored.contains(key)) return {};
    Bytes block = http::snappy_encode(request.body.view());
    bodies += block.size();
    if (!batch.permit.grow_to(working + bodies)) return no_memory("keep Loki's streams");
    if (streams.size() <= request.stream) streams.resize(request.stream + 1);
    streams[request.stream].push_back(
        {.body = std::move(block), .entries = request.entries, .key = key});
    return {};
  };
  SPANWAY_TRY(converter.convert(batch.payload.view(), received_unix_nano, add));
  batch.payload = Bytes();
  std::erase_if(streams, [](const auto& stream) { return stream.empty(); });
  return streams;
}

}  // namespace

Result<Streams> loki_requests(pipeline::Batch& batch, const LokiRequestOptions& options,
                              std::uint64_t received_unix_nano, const StoredRequests& stored) {
  auto streams = options.protocol == LokiConfig::Protocol::kOtlp
                     ? otlp_requests(batch, options, stored)
                     : push_requests(batch, options, received_unix_nano, stored);
  if (!streams.ok()) return streams;
  if (streams->empty()) SPANWAY_TRY(add_empty(options, *streams));
  std::size_t held = 0;
  for (const auto& stream : *streams)
    for (const LokiRequest& request : stream) held += request.body.size();
  batch.permit.shrink_to(held);
  return streams;
}

}  // namespace spanway::sinks
