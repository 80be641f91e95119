#include "services/lib/otlp_blocks/log_rows.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/base64.h"
#include "services/lib/otlp/value_json.h"
#include "services/lib/otlp_blocks/item_time.h"
#include "services/lib/otlp_blocks/table_block.h"

namespace spanway::otlp_blocks {
namespace {

using block::DictionaryColumn;
using block::FixedColumn;
using block::StringColumn;

// As the enumeration of logs.body_kind.
enum class BodyKind : std::int8_t { kText = 0, kJson = 1, kBytes = 2 };

}  // namespace

std::int64_t time_of(const otlp::LogView& log) noexcept {
  return clamped_time(log.time_unix_nano != 0 ? log.time_unix_nano : log.observed_time_unix_nano);
}

LogRows::LogRows(std::int32_t day)
    : day_(day),
      block_(table_block("logs")),
      maps_(block_),
      tenant_(block_.get<DictionaryColumn>("tenant")),
      service_name_(block_.get<DictionaryColumn>("service_name")),
      severity_text_(block_.get<DictionaryColumn>("severity_text")),
      event_name_(block_.get<DictionaryColumn>("event_name")),
      scope_name_(block_.get<DictionaryColumn>("scope_name")),
      scope_version_(block_.get<DictionaryColumn>("scope_version")),
      ts_(block_.get<FixedColumn>("ts")),
      observed_ts_(block_.get<FixedColumn>("observed_ts")),
      res_id_(block_.get<FixedColumn>("res_id")),
      stream_id_(block_.get<FixedColumn>("stream_id")),
      severity_(block_.get<FixedColumn>("severity")),
      body_kind_(block_.get<FixedColumn>("body_kind")),
      trace_id_(block_.get<FixedColumn>("trace_id")),
      span_id_(block_.get<FixedColumn>("span_id")),
      flags_(block_.get<FixedColumn>("flags")),
      dropped_attributes_(block_.get<FixedColumn>("dropped_attributes")),
      body_(block_.get<StringColumn>("body")),
      scope_attrs_(block_.get<StringColumn>("scope_attrs")) {}

bool LogRows::append(const ItemContext& context, const otlp::LogView& log, AttributeKeys& keys) {
  tenant_.append(context.tenant);
  ts_.append(time_of(log));
  observed_ts_.append(clamped_time(log.observed_time_unix_nano));
  service_name_.append(context.service_name);
  res_id_.append(context.resource_id);
  stream_id_.append(context.stream_id);
  severity_.append(static_cast<std::uint8_t>(std::clamp(log.severity_number, 0, 255)));
  severity_text_.append(log.severity_text);
  event_name_.append(log.event_name);
  trace_id_.append_text(log.trace_id);
  span_id_.append_text(log.span_id);
  flags_.append(log.flags);
  scope_name_.append(context.scope_name);
  scope_version_.append(context.scope_version);
  scope_attrs_.append(context.scope_attributes);
  dropped_attributes_.append(log.dropped_attributes_count);
  if (!append_body(log.body)) return false;
  for (const otlp::AttributeView& attribute : log.attributes)
    if (!maps_.append(attribute)) return false;
  maps_.close_row();
  keys.note(day_, AttributeScope::kItem, log.attributes);
  return true;
}

bool LogRows::append_body(const otlp::ValueView& body) {
  switch (body.kind) {
    case otlp::ValueKind::kEmpty:
    case otlp::ValueKind::kString:
      body_.append(body.text);
      body_kind_.append(BodyKind::kText);
      return true;
    case otlp::ValueKind::kBytes:
      // As in OTLP/JSON: the column is text in Parquet, where readers refuse other bytes.
      json_.clear();
      append_base64(json_, body.text);
      body_.append(json_);
      body_kind_.append(BodyKind::kBytes);
      return true;
    default:
      json_.clear();
      if (!append_typed_json(body, json_)) return false;
      body_.append(json_);
      body_kind_.append(BodyKind::kJson);
      return true;
  }
}

block::Block LogRows::take() { return std::move(block_); }

}  // namespace spanway::otlp_blocks
