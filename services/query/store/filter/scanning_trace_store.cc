#include "services/query/store/filter/scanning_trace_store.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "services/lib/schema/promoted.h"
#include "services/query/store/filter/dependency_counter.h"
#include "services/query/store/filter/red_counter.h"
#include "services/query/store/filter/span_matcher.h"
#include "services/query/store/filter/summary_builder.h"

namespace spanway::query {
namespace {

// A trace or a text in a table, with its places.
constexpr std::size_t kEntryBytes = 160;
// As otlp_blocks keeps longer texts apart.
constexpr std::size_t kSearchableTextBytesMax = 1024;
constexpr std::string_view kAttributeColumns[] = {"attr_str", "attr_int", "attr_dbl", "attr_bool",
                                                  "attr_other"};

template <typename Keys>
void add_keys(Scope scope, otlp::Attributes attributes, Keys& keys) {
  for (const otlp::AttributeView& attribute : attributes) {
    const otlp::ValueView& value = attribute.value;
    AttributeType type = AttributeType::kOther;
    if (value.kind == otlp::ValueKind::kString && value.text.size() <= kSearchableTextBytesMax)
      type = AttributeType::kText;
    if (value.kind == otlp::ValueKind::kInt) type = AttributeType::kInteger;
    if (value.kind == otlp::ValueKind::kDouble) type = AttributeType::kDouble;
    if (value.kind == otlp::ValueKind::kBool) type = AttributeType::kBoolean;
    keys.insert({.scope = scope, .key = std::string(attribute.key), .type = type});
  }
}

std::optional<Value> value_of(const otlp::ValueView& value) {
  switch (value.kind) {
    case otlp::ValueKind::kString:
      if (value.text.size() > kSearchableTextBytesMax) return std::nullopt;
      return Value(std::string(value.text));
    case otlp::ValueKind::kInt:
      return Value(value.integer);
    case otlp::ValueKind::kDouble:
      return Value(value.number);
    case otlp::ValueKind::kBool:
      return Value(value.boolean);
    default:
      return std::nullopt;
  }
}

std::optional<Value> value_of(const Subject& subject, const otlp_blocks::StoredSpan& stored,
                              const otlp::ResourceView* resource) {
  const otlp::SpanView& span = stored.span;
  switch (subject.field) {
    case Field::kAttribute: {
      const otlp::Attributes attributes = subject.scope == Scope::kSpan ? span.attributes
                                          : subject.scope == Scope::kInstrumentation
                                              ? stored.scope.attributes
                                          : resource != nullptr ? resource->attributes
                                                                : otlp::Attributes();
      const otlp::AttributeView* found = otlp::find_attribute(attributes, subject.key);
      return found == nullptr ? std::nullopt : value_of(found->value);
    }
    case Field::kService:
      return Value(std::string(stored.service_name));
    case Field::kName:
      return Value(std::string(span.name));
    case Field::kKind:
      return Value(static_cast<std::int64_t>(span.kind));
    case Field::kStatus:
      return Value(static_cast<std::int64_t>(span.status_code));
    case Field::kStatusMessage:
      return Value(std::string(span.status_message));
    case Field::kScopeName:
      return Value(std::string(stored.scope.name));
    case Field::kScopeVersion:
      return Value(std::string(stored.scope.version));
    default:
      return std::nullopt;
  }
}

void covers_all(TimeRange range, QueryContext& context) {
  context.coverage = {.requested = range, .searched = range, .complete = true, .why = ""};
}

}  // namespace

std::vector<std::string_view> ScanningTraceStore::columns_of(const SpanCondition& condition) {
  std::vector<std::string_view> names = {"ts",   "duration_ns", "service_name",
                                         "name", "kind",        "status"};
  const auto add = [&](bool needed, std::initializer_list<std::string_view> columns) {
    if (needed) names.insert(names.end(), columns);
  };
  add(reads(condition, Field::kStatusMessage), {"status_message"});
  add(reads(condition, Field::kParentSpanId), {"parent_span_id"});
  add(reads(condition, Field::kSpanId), {"span_id"});
  add(reads(condition, Field::kTraceId), {"trace_id"});
  add(reads(condition, Field::kScopeName), {"scope_name"});
  add(reads(condition, Field::kScopeVersion), {"scope_version"});
  add(reads(condition, Scope::kInstrumentation), {"scope_attrs"});
  add(reads(condition, Scope::kEvent) || reads(condition, Field::kEventName),
      {"events.ts", "events.name", "events.attrs", "events.dropped"});
  add(reads(condition, Scope::kLink) || reads(condition, Field::kLinkTraceId) ||
          reads(condition, Field::kLinkSpanId),
      {"links.trace_id", "links.span_id", "links.trace_state", "links.attrs", "links.dropped",
       "links.flags"});
  if (!reads(condition, Scope::kSpan)) return names;
  for (const std::string_view column : kAttributeColumns) names.push_back(column);
  // Without a key, of every attribute.
  for (const Comparison* comparison : comparisons_of(condition))
    for (const schema::PromotedAttribute& promoted : schema::promoted_attributes())
      if (comparison->subject.key.empty() || comparison->subject.key == promoted.key)
        names.push_back(promoted.column);
  return names;
}

Result<Found> ScanningTraceStore::find(const SpanQuery& query, QueryContext& context) {
  covers_all(query.range, context);
  std::map<TraceId, FoundTrace, std::less<>> by_id;
  SPANWAY_TRY(scan(query, {.names = {"ts", "trace_id"}}, context,
                   [&](const otlp_blocks::StoredSpan& stored, const otlp::ResourceView*) {
                     FoundTrace& found = by_id[TraceId(stored.span.trace_id)];
                     const auto start = static_cast<std::int64_t>(stored.span.start_time_unix_nano);
                     found.newest_unix_nano =
                         found.matched == 0 ? start : std::max(found.newest_unix_nano, start);
                     ++found.matched;
                     return context.budget.keep(by_id.size() * kEntryBytes);
                   }));
  Found result;
  for (auto& [id, found] : by_id) {
    found.trace_id = id;
    result.traces.push_back(std::move(found));
  }
  std::stable_sort(result.traces.begin(), result.traces.end(),
                   [](const FoundTrace& a, const FoundTrace& b) {
                     return a.newest_unix_nano > b.newest_unix_nano;
                   });
  if (result.traces.size() > query.limit) result.traces.resize(query.limit);
  return result;
}

Result<std::vector<TraceSummary>> ScanningTraceStore::summaries(std::span<const TraceId> trace_ids,
                                                                std::optional<TimeRange> hint,
                                                                QueryContext& context) {
  SPANWAY_ASSIGN(const auto spans, spans_of(trace_ids, hint, SpanColumns::kNarrow, context));
  SummaryBuilder builder;
  while (true) {
    SPANWAY_ASSIGN(const auto block, spans->next());
    if (!block) return builder.take(trace_ids);
    otlp_blocks::SpanReader reader(*block);
    for (std::size_t row = 0; row < reader.rows(); ++row)
      if (!hint || hint->contains(reader.start_unix_nano(row)))
        if (const otlp_blocks::StoredSpan* stored = reader.read(row)) builder.add(*stored);
    SPANWAY_TRY(context.budget.keep(block->memory_bytes() + builder.memory_bytes()));
  }
}

Result<std::vector<std::string>> ScanningTraceStore::services(TimeRange range,
                                                              QueryContext& context) {
  std::set<std::string, std::less<>> names;
  SPANWAY_TRY(scan({.range = rounded_outwards(range, kRollupNanos)}, {.names = {"service_name"}},
                   context, [&](const otlp_blocks::StoredSpan& stored, const otlp::ResourceView*) {
                     if (!names.contains(stored.service_name)) names.emplace(stored.service_name);
                     return context.budget.keep(names.size() * kEntryBytes);
                   }));
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<Operation>> ScanningTraceStore::operations(const std::string& service,
                                                              TimeRange range,
                                                              QueryContext& context) {
  SpanQuery query{.range = rounded_outwards(range, kRollupNanos)};
  if (!service.empty()) query.where = compare(Field::kService, Op::kEqual, service);
  std::set<Operation> operations;
  SPANWAY_TRY(scan(query, {.names = {"name", "kind"}}, context,
                   [&](const otlp_blocks::StoredSpan& stored, const otlp::ResourceView*) {
                     operations.insert({.name = std::string(stored.span.name),
                                        .kind = static_cast<int>(stored.span.kind)});
                     return context.budget.keep(operations.size() * kEntryBytes);
                   }));
  return std::vector<Operation>(operations.begin(), operations.end());
}

Result<std::vector<AttributeKey>> ScanningTraceStore::attribute_keys(Scope scope, TimeRange range,
                                                                     QueryContext& context) {
  const auto in = [scope](Scope one) { return scope == one || scope == Scope::kAny; };
  // A condition that reads the scope and holds for every span.
  const auto always = any_of({compare(Subject{.scope = scope, .key = ""}, Op::kExists),
                              compare(Subject{.scope = scope, .key = ""}, Op::kMissing)});
  std::set<AttributeKey> keys;
  SPANWAY_TRY(scan(
      {.range = rounded_outwards(range, kDayNanos), .where = always},
      {.names = {}, .resource = in(Scope::kResource)}, context,
      [&](const otlp_blocks::StoredSpan& stored, const otlp::ResourceView* resource) -> Status {
        if (in(Scope::kSpan)) add_keys(Scope::kSpan, stored.span.attributes, keys);
        if (in(Scope::kResource) && resource != nullptr)
          add_keys(Scope::kResource, resource->attributes, keys);
        if (in(Scope::kInstrumentation))
          add_keys(Scope::kInstrumentation, stored.scope.attributes, keys);
        if (in(Scope::kEvent))
          for (const otlp::EventView& event : stored.span.events)
            add_keys(Scope::kEvent, event.attributes, keys);
        if (in(Scope::kLink))
          for (const otlp::LinkView& link : stored.span.links)
            add_keys(Scope::kLink, link.attributes, keys);
        return context.budget.keep(keys.size() * kEntryBytes);
      }));
  std::vector<AttributeKey> result(keys.begin(), keys.end());
  if (result.size() > kNamesMax) result.resize(kNamesMax);
  return result;
}

Result<std::vector<Value>> ScanningTraceStore::values(const Subject& subject,
                                                      const SpanQuery& requested,
                                                      QueryContext& context) {
  SPANWAY_TRY(check_values_of(subject));
  covers_all(requested.range, context);
  SpanQuery query = requested;
  if (subject.field == Field::kAttribute)
    query.where = both(query.where, compare(subject, Op::kExists));
  std::map<Value, std::uint64_t> counts;
  SPANWAY_TRY(scan(
      query,
      {.names = {"service_name", "name", "kind", "status", "status_message", "scope_name",
                 "scope_version"},
       .resource = subject.scope == Scope::kResource},
      context,
      [&](const otlp_blocks::StoredSpan& stored, const otlp::ResourceView* resource) -> Status {
        if (auto value = value_of(subject, stored, resource)) ++counts[std::move(*value)];
        return context.budget.keep(counts.size() * kEntryBytes);
      }));
  std::vector<std::pair<Value, std::uint64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (sorted.size() > query.limit) sorted.resize(query.limit);
  std::vector<Value> result;
  for (auto& [value, count] : sorted) result.push_back(std::move(value));
  return result;
}

Result<std::vector<Dependency>> ScanningTraceStore::dependencies(TimeRange range,
                                                                 QueryContext& context) {
  DependencyCounter counter;
  SPANWAY_TRY(scan({.range = range},
                   {.names = {"trace_id", "span_id", "parent_span_id", "service_name", "status"}},
                   context, [&](const otlp_blocks::StoredSpan& stored, const otlp::ResourceView*) {
                     counter.add(stored);
                     return context.budget.keep(counter.memory_bytes());
                   }));
  return counter.take();
}

Result<std::vector<RedRow>> ScanningTraceStore::red(const RedQuery& query, QueryContext& context) {
  SPANWAY_TRY(check(query));
  RedCounter counter(query);
  SPANWAY_TRY(scan({.range = rounded_outwards(query.range, query.step_ns)},
                   {.names = {"service_name", "name", "kind", "status", "duration_ns"}}, context,
                   [&](const otlp_blocks::StoredSpan& stored, const otlp::ResourceView*) {
                     counter.add(stored);
                     return context.budget.keep(counter.memory_bytes());
                   }));
  return counter.take();
}

}  // namespace spanway::query
