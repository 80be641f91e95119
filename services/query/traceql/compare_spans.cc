#include "services/query/traceql/compare_spans.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace spanway::query::traceql {
namespace {

constexpr Intrinsic kIntrinsics[] = {Intrinsic::kName,
                                     Intrinsic::kStatus,
                                     Intrinsic::kStatusMessage,
                                     Intrinsic::kKind,
                                     Intrinsic::kTraceRootService,
                                     Intrinsic::kTraceRootName,
                                     Intrinsic::kInstrumentationName,
                                     Intrinsic::kInstrumentationVersion};

std::string name_of(AttributeScope scope, const std::string& name) {
  return to_string(Attribute{.scope = scope, .name = name});
}

SeriesLabels labels_of(const std::string& type, const std::string& name, Value value) {
  return {{"__meta_type", Value::of_string(type)}, {name, std::move(value)}};
}

}  // namespace

Status CompareSpans::observe(const FieldEvaluator& fields, const Span& span) {
  const auto interval = intervals_.find(span.start_unix_nano);
  if (!interval) return {};
  const bool is_timely = stage_.begin_nanos == 0 || (span.start_unix_nano > stage_.begin_nanos &&
                                                     span.start_unix_nano <= stage_.end_nanos);
  FieldEvaluator selection(fields.trace());
  bool is_selected = false;
  if (is_timely) {
    SPANWAY_ASSIGN(is_selected, selection.test(*stage_.selection->args[0], span));
  }
  Side& side = is_selected ? selection_ : baseline_;
  for (const Intrinsic intrinsic : kIntrinsics)
    SPANWAY_TRY(count(side, std::string(to_string(intrinsic)),
                      fields.value({.intrinsic = intrinsic}, span), *interval));
  const auto count_all = [&](AttributeScope scope, const NamedValues& all) -> Status {
    for (const auto& [name, value] : all)
      SPANWAY_TRY(count(side, name_of(scope, name), value, *interval));
    return {};
  };
  const Trace& trace = fields.trace();
  SPANWAY_TRY(count_all(AttributeScope::kResource, trace.resources[span.resource]));
  SPANWAY_TRY(count_all(AttributeScope::kInstrumentation,
                        trace.instrumentations[span.instrumentation].attributes));
  SPANWAY_TRY(count_all(AttributeScope::kSpan, span.attributes));
  for (const Event& event : span.events) {
    SPANWAY_TRY(count(side, "event:name", Value::of_string(event.name), *interval));
    SPANWAY_TRY(count_all(AttributeScope::kEvent, event.attributes));
  }
  return {};
}

Status CompareSpans::count(Side& side, const std::string& name, const Value& value,
                           std::size_t interval) {
  if (value.is_nil()) return {};
  const auto counted = [&](Counts& counts) -> Status {
    if (counts.empty()) {
      SPANWAY_TRY(budget_.take(intervals_.count() + SeriesBudget::kKeyValues +
                               value.memory_bytes() / sizeof(double)));
      counts.resize(intervals_.count());
    }
    ++counts[interval];
    return {};
  };
  SPANWAY_TRY(counted(side.values[name][value]));
  return counted(side.totals[name]);
}

void CompareSpans::append(const Side& side, const char* type, std::vector<Series>& result) const {
  for (const auto& [name, values] : side.values) {
    std::vector<std::pair<double, const Value*>> order;
    for (const auto& [value, counts] : values)
      order.emplace_back(-std::accumulate(counts.begin(), counts.end(), 0.0), &value);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& left, const auto& right) { return left.first < right.first; });
    if (order.size() > static_cast<std::size_t>(stage_.top))
      order.resize(static_cast<std::size_t>(stage_.top));
    for (const auto& [total, value] : order)
      result.push_back({labels_of(type, name, *value), values.at(*value)});
  }
  for (const auto& [name, counts] : side.totals)
    result.push_back({labels_of(std::string(type) + "_total", name, Value()), counts});
}

std::vector<Series> CompareSpans::series() {
  std::vector<Series> result;
  append(baseline_, "baseline", result);
  append(selection_, "selection", result);
  return result;
}

}  // namespace spanway::query::traceql
