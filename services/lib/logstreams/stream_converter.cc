#include "services/lib/logstreams/stream_converter.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/lib/logstreams/resource_labels.h"
#include "services/lib/logstreams/value_text.h"
#include "services/lib/otlp/wire.h"

namespace spanway::logstreams {
namespace {

namespace wire = otlp::wire;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::size_t kTraceIdBytes = 16;
constexpr std::size_t kSpanIdBytes = 8;
// logproto.PushRequest, StreamAdapter, EntryAdapter, LabelPairAdapter, google.protobuf.Timestamp.
constexpr std::uint32_t kStreams = 1;
constexpr std::uint32_t kLabels = 1, kEntries = 2;
constexpr std::uint32_t kTimestamp = 1, kLine = 2, kMetadata = 3;
constexpr std::uint32_t kName = 1, kValue = 2;
constexpr std::uint32_t kSeconds = 1, kNanos = 2;

void write_metadata(std::string_view name, std::string_view value, Bytes& out) {
  wire::Writer writer(out);
  const auto mark = writer.begin(kMetadata);
  writer.bytes(kName, name);
  writer.bytes(kValue, value);
  writer.end(mark);
}

void write_number(std::string_view name, std::uint64_t value, Bytes& out) {
  write_metadata(name, std::to_string(value), out);
}

void write_attributes(otlp::Attributes attributes, std::vector<NameAndValue>& scratch, Bytes& out) {
  scratch.clear();
  for (const otlp::AttributeView& attribute : attributes)
    append_flat(attribute.key, attribute.value, scratch);
  for (const auto& [name, value] : scratch) write_metadata(name, value, out);
}

void write_id(std::string_view name, std::string_view id, std::size_t bytes, Bytes& out) {
  if (id.size() != bytes || id.find_first_not_of('\0') == std::string_view::npos) return;
  write_metadata(name, to_hex(id), out);
}

void write_time(std::uint64_t unix_nano, Bytes& out) {
  // Loki reads the number as signed.
  const auto time = static_cast<std::int64_t>(unix_nano);
  std::int64_t seconds = time / kNanosPerSecond;
  std::int64_t nanos = time % kNanosPerSecond;
  if (nanos < 0) {
    --seconds;
    nanos += kNanosPerSecond;
  }
  wire::Writer writer(out);
  const auto mark = writer.begin(kTimestamp);
  if (seconds != 0) writer.varint(kSeconds, static_cast<std::uint64_t>(seconds));
  if (nanos != 0) writer.varint(kNanos, static_cast<std::uint64_t>(nanos));
  writer.end(mark);
}

// The fields of a record, in the order in which Loki appends them.
void write_fields(const otlp::LogView& log, Bytes& out) {
  if (log.time_unix_nano != 0 && log.observed_time_unix_nano != 0)
    write_metadata("observed_timestamp",
                   std::to_string(static_cast<std::int64_t>(log.observed_time_unix_nano)), out);
  if (log.severity_number != 0)
    write_metadata("severity_number", std::to_string(log.severity_number), out);
  if (!log.severity_text.empty()) write_metadata("severity_text", log.severity_text, out);
  if (log.dropped_attributes_count != 0)
    write_number("dropped_attributes_count", log.dropped_attributes_count, out);
  if (log.flags != 0) write_number("flags", log.flags, out);
  write_id("trace_id", log.trace_id, kTraceIdBytes, out);
  write_id("span_id", log.span_id, kSpanIdBytes, out);
  // Loki's own endpoint drops it.
  if (!log.event_name.empty()) write_metadata("event_name", log.event_name, out);
}

Bytes body_of(std::string_view labels, const Bytes& entries) {
  const std::size_t labels_bytes = wire::framed_size(labels.size());
  const std::size_t stream_bytes = labels_bytes + entries.size();
  Bytes body;
  body.reserve(wire::framed_size(stream_bytes));
  body.resize(1 + wire::varint_size(stream_bytes));
  wire::put_header(body.data(), wire::make_tag(kStreams, wire::Type::kLength), stream_bytes);
  wire::Writer(body).bytes(kLabels, labels);
  body.append(entries.view());
  return body;
}

}  // namespace

class Converter::Visitor final : public otlp::RequestVisitor {
 public:
  Visitor(const ConverterOptions& options, std::uint64_t received, const Emit& emit)
      : options_(options), received_(received), emit_(emit) {}

  Status on_resource(const otlp::ResourceView& resource) override {
    const ResourceLabels labels = resource_labels(resource, options_.labels);
    const std::string text = label_text(labels.labels);
    const auto [place, is_new] = stream_of_.emplace(text, streams_.size());
    if (is_new) streams_.push_back({.labels = text, .entries = {}, .count = 0});
    stream_ = place->second;
    resource_metadata_.clear();
    for (const auto& [name, value] : labels.metadata)
      write_metadata(name, value, resource_metadata_);
    return {};
  }

  Status on_scope(const otlp::ScopeView& scope) override {
    scope_metadata_.clear();
    write_attributes(scope.attributes, scratch_, scope_metadata_);
    if (!scope.name.empty()) write_metadata("scope_name", scope.name, scope_metadata_);
    if (!scope.version.empty()) write_metadata("scope_version", scope.version, scope_metadata_);
    if (scope.dropped_attributes_count != 0)
      write_number("scope_dropped_attributes_count", scope.dropped_attributes_count,
                   scope_metadata_);
    return {};
  }

  Status on_log(const otlp::LogView& log) override {
    entry_.clear();
    const std::uint64_t time = log.time_unix_nano != 0            ? log.time_unix_nano
                               : log.observed_time_unix_nano != 0 ? log.observed_time_unix_nano
                                                                  : received_;
    write_time(time, entry_);
    line_.clear();
    append_text(log.body, line_);
    wire::Writer(entry_).bytes(kLine, line_);
    write_attributes(log.attributes, scratch_, entry_);
    write_fields(log, entry_);
    entry_.append(resource_metadata_.view());
    entry_.append(scope_metadata_.view());
    return add_entry();
  }

  Status finish() {
    for (std::size_t i = 0; i < streams_.size(); ++i) SPANWAY_TRY(give_out(i));
    return {};
  }

 private:
  struct Stream {
    std::string labels;
    Bytes entries;
    std::uint64_t count = 0;
  };

  Status add_entry() {
    const std::size_t bytes = wire::framed_size(entry_.size());
    converted_bytes_ += bytes;
    if (converted_bytes_ > options_.converted_bytes_max)
      return unknown_error(Code::kResourceExhausted,
                           "the batch becomes more than " +
                               std::to_string(options_.converted_bytes_max) +
                               " bytes for Loki: each of its records holds its whole resource")
          .with_reason("converted_too_large");
    Stream& stream = streams_[stream_];
    if (stream.count > 0 && stream.entries.size() + bytes > options_.request_bytes_max)
      SPANWAY_TRY(give_out(stream_));
    wire::Writer(stream.entries).bytes(kEntries, entry_.view());
    ++stream.count;
    pending_bytes_ += bytes;
    return pending_bytes_ > options_.pending_bytes_max ? finish() : ok_status();
  }

  Status give_out(std::size_t index) {
    Stream& stream = streams_[index];
    if (stream.count == 0) return {};
    PushRequest request{.stream = index,
                        .body = body_of(stream.labels, stream.entries),
                        .entries = std::exchange(stream.count, 0)};
    pending_bytes_ -= stream.entries.size();
    stream.entries = Bytes();
    return emit_(std::move(request));
  }

  const ConverterOptions& options_;
  const std::uint64_t received_;
  const Emit& emit_;
  std::vector<Stream> streams_;
  std::unordered_map<std::string, std::size_t> stream_of_;  // By labels.
  std::size_t stream_ = 0;
  std::size_t pending_bytes_ = 0;
  std::size_t converted_bytes_ = 0;
  Bytes resource_metadata_, scope_metadata_, entry_;  // Encoded.
  std::string line_;
  std::vector<NameAndValue> scratch_;
};

Status Converter::convert(std::string_view payload, std::uint64_t received_unix_nano,
                          const Emit& emit) {
  Visitor visitor(options_, received_unix_nano, emit);
  SPANWAY_TRY(reader_.read(otlp::Signal::kLogs, payload, visitor));
  return visitor.finish();
}

}  // namespace spanway::logstreams
