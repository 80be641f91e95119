#include "services/query/log_source/entry_reader.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/lib/logstreams/label_name.h"
#include "services/lib/logstreams/resource_labels.h"
#include "services/lib/logstreams/value_text.h"
#include "services/query/log_source/detected_level.h"

namespace spanway::query {
namespace {

void append(std::string_view name, std::string value, Labels& out) {
  out.emplace_back(name, std::move(value));
}
void append_number(std::string_view name, std::uint64_t number, Labels& out) {
  if (number != 0) append(name, std::to_string(number), out);
}
void append_text(std::string_view name, std::string_view text, Labels& out) {
  if (!text.empty()) append(name, std::string(text), out);
}
void append_id(std::string_view name, std::string_view id, Labels& out) {
  if (!id.empty()) append(name, to_hex(id), out);
}
void append_attributes(otlp::Attributes attributes, Labels& out) {
  for (const otlp::AttributeView& attribute : attributes)
    logstreams::append_flat(attribute.key, attribute.value, out);
}

void append_fields(const otlp::LogView& log, Labels& out) {
  if (log.observed_time_unix_nano != log.time_unix_nano)
    append_number("observed_timestamp", log.observed_time_unix_nano, out);
  append_number("severity_number", static_cast<std::uint64_t>(log.severity_number), out);
  append_text("severity_text", log.severity_text, out);
  append_number("dropped_attributes_count", log.dropped_attributes_count, out);
  append_number("flags", log.flags, out);
  append_id("trace_id", log.trace_id, out);
  append_id("span_id", log.span_id, out);
  append_text("event_name", log.event_name, out);
}

// By name, the last of equal names only.
void order(Labels& labels) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  Labels unique;
  for (auto& label : labels) {
    if (!unique.empty() && unique.back().first == label.first)
      unique.back() = std::move(label);
    else
      unique.push_back(std::move(label));
  }
  labels = std::move(unique);
}

}  // namespace

EntryReader::EntryReader(std::vector<LogStream> streams) {
  for (LogStream& stream : streams) {
    for (const auto& [name, value] : stream.labels)
      labels_bytes_ += name.size() + value.size() + 64;
    labels_bytes_ += 128;
    streams_.emplace(stream.id, std::make_shared<const Labels>(std::move(stream.labels)));
  }
}

std::vector<std::uint64_t> EntryReader::missing_resources(const block::Block& rows) const {
  const otlp_blocks::LogReader reader(rows);
  std::set<std::uint64_t> missing;
  for (std::size_t row = 0; row < rows.rows(); ++row)
    if (const std::uint64_t id = reader.resource_id(row); !resources_.contains(id))
      missing.insert(id);
  return {missing.begin(), missing.end()};
}

Status EntryReader::add_resources(block::Block resources) {
  return resources_.add(std::move(resources));
}

std::size_t EntryReader::memory_bytes() const noexcept {
  return labels_bytes_ + resources_.memory_bytes();
}

Result<std::optional<logql::Entry>> EntryReader::read(otlp_blocks::LogReader& rows,
                                                      std::size_t row) const {
  const auto stream = streams_.find(rows.stream_id(row));
  if (stream == streams_.end()) return std::optional<logql::Entry>();
  const otlp_blocks::StoredLog* stored = rows.read(row);
  if (stored == nullptr)
    return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
        .with_reason("stored_value_unreadable");
  logql::Entry entry;
  entry.time = static_cast<std::int64_t>(stored->log.time_unix_nano);
  entry.stream = stream->second;
  logstreams::append_text(stored->log.body, entry.line);
  Labels& metadata = entry.metadata;
  append_attributes(stored->log.attributes, metadata);
  append_fields(stored->log, metadata);
  if (const otlp::ResourceView* resource = resources_.find(stored->resource_id)) {
    for (const otlp::AttributeView& attribute : resource->attributes)
      if (value_of(*entry.stream, logstreams::label_name(attribute.key)).empty())
        logstreams::append_flat(attribute.key, attribute.value, metadata);
  }
  append_attributes(stored->scope.attributes, metadata);
  append_text("scope_name", stored->scope.name, metadata);
  append_text("scope_version", stored->scope.version, metadata);
  if (value_of(metadata, kDetectedLevel).empty())
    append(kDetectedLevel, detected_level(*entry.stream, metadata, entry.line), metadata);
  order(metadata);
  return std::optional(std::move(entry));
}

}  // namespace spanway::query
