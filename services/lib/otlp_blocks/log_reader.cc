#include "services/lib/otlp_blocks/log_reader.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/base64.h"

namespace spanway::otlp_blocks {
namespace {

// As the enumeration of logs.body_kind.
constexpr std::int8_t kJsonBody = 1, kBytesBody = 2;

// "" for an id that is not set.
std::string_view id_or_empty(std::string_view id) {
  return std::all_of(id.begin(), id.end(), [](char c) { return c == '\0'; }) ? std::string_view()
                                                                             : id;
}

}  // namespace

LogReader::LogReader(const block::Block& block) : block_(block), attributes_(block) {}

template <typename T>
T LogReader::number(const char* column, std::size_t row) const {
  const auto* fixed = dynamic_cast<const block::FixedColumn*>(block_.find(column));
  return fixed != nullptr && fixed->width() == sizeof(T) ? fixed->values<T>()[row] : T{};
}

std::int64_t LogReader::unix_nano(std::size_t row) const { return number<std::int64_t>("ts", row); }
std::uint64_t LogReader::stream_id(std::size_t row) const {
  return number<std::uint64_t>("stream_id", row);
}
std::uint64_t LogReader::resource_id(std::size_t row) const {
  return number<std::uint64_t>("res_id", row);
}

bool LogReader::read_body(std::size_t row) {
  const std::string_view text = text_at(block_.find("body"), row);
  otlp::ValueView& body = stored_.log.body;
  body = {};
  const auto kind = number<std::int8_t>("body_kind", row);
  if (kind == kJsonBody) return values_.read(text, body);
  body.kind = kind == kBytesBody ? otlp::ValueKind::kBytes : otlp::ValueKind::kString;
  body.text = text;
  if (kind != kBytesBody) return true;
  auto bytes = decode_base64(text);
  if (!bytes) return false;
  body_bytes_ = std::move(*bytes);
  body.text = body_bytes_;
  return true;
}

const StoredLog* LogReader::read(std::size_t row) {
  values_.clear();
  own_.clear();
  scope_attributes_.clear();
  const auto text = [&](const char* column) { return text_at(block_.find(column), row); };
  otlp::LogView& log = stored_.log;
  log.time_unix_nano = static_cast<std::uint64_t>(unix_nano(row));
  log.observed_time_unix_nano =
      static_cast<std::uint64_t>(number<std::int64_t>("observed_ts", row));
  log.severity_number = number<std::uint8_t>("severity", row);
  log.severity_text = text("severity_text");
  log.event_name = text("event_name");
  log.trace_id = id_or_empty(text("trace_id"));
  log.span_id = id_or_empty(text("span_id"));
  log.flags = number<std::uint32_t>("flags", row);
  log.dropped_attributes_count = number<std::uint32_t>("dropped_attributes", row);
  stored_.stream_id = stream_id(row);
  stored_.resource_id = resource_id(row);
  stored_.scope.name = text("scope_name");
  stored_.scope.version = text("scope_version");
  if (!read_body(row) || !values_.read(text("scope_attrs"), scope_attributes_) ||
      !attributes_.read(row, values_, own_))
    return nullptr;
  stored_.scope.attributes = scope_attributes_;
  log.attributes = own_;
  return &stored_;
}

}  // namespace spanway::otlp_blocks
