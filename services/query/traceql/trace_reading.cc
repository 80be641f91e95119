#include "services/query/traceql/trace_reading.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace spanway::query::traceql {
namespace {

Value scalar_of(const otlp::ValueView& value) {
  switch (value.kind) {
    case otlp::ValueKind::kString:
      return Value::of_string(value.text);
    case otlp::ValueKind::kBool:
      return Value::of_bool(value.boolean);
    case otlp::ValueKind::kInt:
      return Value::of_int(value.integer);
    case otlp::ValueKind::kDouble:
      return Value::of_float(value.number);
    default:
      return {};
  }
}

// Lists of one type are arrays; what else is no scalar is nil.
Value value_of(const otlp::ValueView& value) {
  if (value.kind != otlp::ValueKind::kArray) return scalar_of(value);
  Value list;
  otlp::ArrayReader elements(value.text);
  while (const auto element = elements.next()) {
    Value one = scalar_of(*element);
    if (one.is_nil() || (!list.elements.empty() && list.elements[0].type != one.type)) return {};
    list.elements.push_back(std::move(one));
  }
  if (list.elements.empty()) return {};
  list.type = static_cast<Type>(static_cast<int>(list.elements[0].type) -
                                static_cast<int>(Type::kInt) + static_cast<int>(Type::kIntArray));
  return list;
}

NamedValues values_of(otlp::Attributes attributes) {
  NamedValues result;
  for (const otlp::AttributeView& attribute : attributes) {
    Value value = value_of(attribute.value);
    if (!value.is_nil()) result.emplace_back(attribute.key, std::move(value));
  }
  return result;
}

std::size_t instrumentation_index(Trace& trace, const otlp::ScopeView& scope) {
  Instrumentation own{std::string(scope.name), std::string(scope.version),
                      values_of(scope.attributes)};
  const auto found = std::find_if(trace.instrumentations.begin(), trace.instrumentations.end(),
                                  [&](const auto& one) {
                                    return one.name == own.name && one.version == own.version &&
                                           one.attributes == own.attributes;
                                  });
  if (found == trace.instrumentations.end()) {
    trace.instrumentations.push_back(std::move(own));
    return trace.instrumentations.size() - 1;
  }
  return static_cast<std::size_t>(found - trace.instrumentations.begin());
}

}  // namespace

Result<bool> SpanRows::next() {
  while (!reader_ || row_ >= reader_->rows()) {
    reader_.reset();
    SPANWAY_ASSIGN(block_, rows_->next());
    if (!block_) return false;
    reader_.emplace(*block_);
    row_ = 0;
    SPANWAY_TRY(read_resources());
    SPANWAY_TRY(keep(0));
  }
  stored_ = reader_->read(row_++);
  ++spans_read_;
  if (stored_ == nullptr)
    return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
        .with_reason("stored_value_unreadable");
  return true;
}

Status SpanRows::keep(std::size_t more) {
  const std::size_t block = block_ ? block_->memory_bytes() : 0;
  return context_.budget.keep(held_ + block + resources_.memory_bytes() + more);
}

Status SpanRows::read_resources() {
  std::vector<std::uint64_t> unknown;
  for (std::size_t row = 0; row < reader_->rows(); ++row)
    if (const std::uint64_t id = reader_->resource_id(row); !resources_.contains(id))
      unknown.push_back(id);
  std::sort(unknown.begin(), unknown.end());
  unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
  if (unknown.empty()) return {};
  SPANWAY_ASSIGN(block::Block resources, store_.resources_of(unknown, context_));
  return resources_.add(std::move(resources));
}

void SpanRows::append_to(Trace& trace) {
  const auto [known, is_new] =
      resource_indexes_.try_emplace(stored_->resource_id, trace.resources.size());
  if (is_new) {
    const otlp::ResourceView* resource = resources_.find(stored_->resource_id);
    NamedValues& own = trace.resources.emplace_back();
    if (resource != nullptr) own = values_of(resource->attributes);
    if (find(own, "service.name") == nullptr && !stored_->service_name.empty())
      own.emplace_back("service.name", Value::of_string(stored_->service_name));
  }
  const otlp::SpanView& view = stored_->span;
  Span& span = trace.spans.emplace_back();
  span.id = view.span_id;
  span.parent_id = view.parent_span_id;
  span.name = view.name;
  span.status_message = view.status_message;
  span.kind = static_cast<std::int64_t>(view.kind);
  span.status = static_cast<std::int64_t>(view.status_code);
  span.start_unix_nano = static_cast<std::int64_t>(view.start_time_unix_nano);
  span.duration_ns = static_cast<std::int64_t>(view.end_time_unix_nano - view.start_time_unix_nano);
  span.attributes = values_of(view.attributes);
  span.resource = known->second;
  span.instrumentation = instrumentation_index(trace, stored_->scope);
  for (const otlp::EventView& event : view.events)
    span.events.push_back(
        {std::string(event.name),
         static_cast<std::int64_t>(event.time_unix_nano - view.start_time_unix_nano),
         values_of(event.attributes)});
  for (const otlp::LinkView& link : view.links)
    span.links.push_back(
        {std::string(link.trace_id), std::string(link.span_id), values_of(link.attributes)});
}

Result<std::optional<Trace>> TraceStream::next() {
  if (!has_row_ && !ended_) {
    SPANWAY_ASSIGN(has_row_, rows_.next());
    ended_ = !has_row_;
  }
  if (ended_) return std::optional<Trace>();
  Trace trace;
  trace.id = rows_.stored().span.trace_id;
  rows_.begin_trace();
  constexpr std::size_t kSpansBetweenChecks = 4096;
  while (has_row_ && rows_.stored().span.trace_id == trace.id) {
    rows_.append_to(trace);
    if (trace.spans.size() > context_.budget.spans_max)
      return data_error(Code::kResourceExhausted, "a trace has more than " +
                                                      std::to_string(context_.budget.spans_max) +
                                                      " spans; narrow the query")
          .with_reason("too_many_spans");
    if (trace.spans.size() % kSpansBetweenChecks == 0)
      SPANWAY_TRY(rows_.keep(trace.memory_bytes()));
    SPANWAY_ASSIGN(has_row_, rows_.next());
  }
  ended_ = !has_row_;
  SPANWAY_TRY(rows_.keep(trace.memory_bytes()));
  complete(trace);
  return std::optional<Trace>(std::move(trace));
}

}  // namespace spanway::query::traceql
