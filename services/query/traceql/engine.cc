#include "services/query/traceql/engine.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "services/query/traceql/pipeline_evaluator.h"
#include "services/query/traceql/push_down.h"
#include "services/query/traceql/query_progress.h"
#include "services/query/traceql/trace_pages.h"
#include "services/query/traceql/trace_reading.h"

namespace spanway::query::traceql {
namespace {

Error bad_query(const char* what) { return invalid_argument(what).with_reason("bad_query"); }

// Fields of a result have these.
bool is_always_shown(Intrinsic intrinsic) {
  switch (intrinsic) {
    case Intrinsic::kDuration:
    case Intrinsic::kName:
    case Intrinsic::kTraceDuration:
    case Intrinsic::kTraceRootService:
    case Intrinsic::kTraceRootName:
    case Intrinsic::kTraceId:
    case Intrinsic::kSpanId:
      return true;
    default:
      return false;
  }
}

std::vector<ServiceSpans> services_of(const Trace& trace) {
  std::map<std::string, ServiceSpans> by_name;
  for (const Span& span : trace.spans) {
    ServiceSpans& service = by_name[trace.service_of(span)];
    ++service.spans;
    if (span.status == kStatusError) ++service.errors;
  }
  std::vector<ServiceSpans> result;
  for (auto& [name, service] : by_name) {
    service.service = name;
    result.push_back(std::move(service));
  }
  return result;
}

std::size_t bytes_of(const NamedValues& values) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : values)
    bytes += sizeof(name) + name.size() + value.memory_bytes();
  return bytes;
}

std::size_t bytes_of(const ShownTrace& trace) {
  std::size_t bytes = sizeof(trace) + trace.services.size() * sizeof(ServiceSpans);
  for (const ShownSet& set : trace.sets) {
    bytes += sizeof(set) + bytes_of(set.attributes);
    for (const ShownSpan& span : set.spans)
      bytes += sizeof(span) + span.name.size() + bytes_of(span.attributes);
  }
  return bytes;
}

class Search {
 public:
  Search(const Query& query, const SearchRequest& request)
      : query_(query), request_(request), attributes_(attributes_of(query)) {}

  Status add(const Trace& trace) {
    ++result_.inspected_traces;
    PipelineEvaluator evaluator(trace);
    SPANWAY_ASSIGN(const auto found, evaluator.run(*query_.pipeline));
    ShownTrace shown;
    bool is_in_range = false;
    for (const FoundSpans& set : found) {
      for (const std::uint32_t i : set.spans)
        is_in_range = is_in_range || request_.range.contains(trace.spans[i].start_unix_nano);
      shown.sets.push_back(show(trace, set));
    }
    if (!is_in_range) return {};
    shown.id = trace.id;
    shown.root_service = trace.root_service;
    shown.root_name = trace.root_name;
    shown.begin_unix_nano = trace.begin_unix_nano;
    shown.duration_ns = trace.end_unix_nano - trace.begin_unix_nano;
    shown.services = services_of(trace);
    bytes_ += bytes_of(shown);
    result_.traces.push_back(std::move(shown));
    return {};
  }
  // The result so far.
  std::size_t memory_bytes() const noexcept { return bytes_; }

  std::size_t found() const noexcept { return result_.traces.size(); }
  std::uint64_t inspected() const noexcept { return result_.inspected_traces; }
  void count_spans(std::uint64_t spans) { result_.inspected_spans += spans; }

  SearchResult finish() {
    std::sort(result_.traces.begin(), result_.traces.end(),
              [](const ShownTrace& left, const ShownTrace& right) {
                return left.begin_unix_nano != right.begin_unix_nano
                           ? left.begin_unix_nano > right.begin_unix_nano
                           : left.id < right.id;
              });
    if (result_.traces.size() > request_.limit) result_.traces.resize(request_.limit);
    return std::move(result_);
  }

 private:
  ShownSet show(const Trace& trace, const FoundSpans& set) const {
    ShownSet shown;
    shown.matched = set.spans.size();
    shown.attributes = set.attributes;
    const FieldEvaluator fields(trace);
    for (const std::uint32_t i : set.spans) {
      if (shown.spans.size() == request_.spans_per_set) break;
      const Span& span = trace.spans[i];
      ShownSpan& one = shown.spans.emplace_back();
      one.id = span.id;
      one.name = span.name;
      one.start_unix_nano = span.start_unix_nano;
      one.duration_ns = span.duration_ns;
      for (const Attribute& attribute : attributes_) {
        if (is_always_shown(attribute.intrinsic)) continue;
        Value value = fields.value(attribute, span);
        if (!value.is_nil()) one.attributes.emplace_back(key_of(attribute), std::move(value));
      }
    }
    return shown;
  }

  const Query& query_;
  const SearchRequest& request_;
  const std::set<Attribute> attributes_;
  SearchResult result_;
  std::size_t bytes_ = 0;
};

// Evaluates the traces of one page.
template <typename Consumer>
Status read_page(TraceStore& store, const Clock& clock, const std::vector<TraceId>& ids,
                 QueryContext& context, Consumer& consumer) {
  SPANWAY_ASSIGN(auto rows, store.spans_of(ids, std::nullopt, SpanColumns::kAll, context));
  TraceStream traces(store, std::move(rows), context);
  while (true) {
    SPANWAY_TRY(check_running(context, clock));
    traces.set_held(consumer.memory_bytes());
    SPANWAY_ASSIGN(const auto trace, traces.next());
    if (!trace) break;
    SPANWAY_TRY(consumer.add(*trace));
  }
  consumer.count_spans(traces.spans_read());
  return {};
}

bool is_bound(const Error& error) {
  return error.code == Code::kResourceExhausted || error.code == Code::kDeadlineExceeded;
}

}  // namespace

Result<SpanCondition> Engine::condition(const Query& query, TimeRange range,
                                        QueryContext& context) const {
  const Expr& pipeline = query.metrics ? *query.metrics->pipeline : *query.pipeline;
  return condition(pipeline, range, context);
}

Result<SpanCondition> Engine::condition(const Expr& pipeline, TimeRange range,
                                        QueryContext& context) const {
  // Without attributes there is nothing that may be a list.
  bool is_needed = false;
  condition_of(pipeline, [&](Scope, const std::string&) { return is_needed = true; });
  if (!is_needed) return condition_of(pipeline, [](Scope, const std::string&) { return false; });
  SPANWAY_ASSIGN(const auto keys, store_.attribute_keys(Scope::kAny, range, context));
  const bool are_all = keys.size() < TraceStore::kNamesMax;
  std::set<std::pair<Scope, std::string>> lists;
  for (const AttributeKey& key : keys)
    if (key.type == AttributeType::kOther)
      for (const Scope scope : {key.scope, Scope::kAny}) lists.emplace(scope, key.key);
  return condition_of(pipeline, [&](Scope scope, const std::string& key) {
    return !are_all || lists.contains({scope, key});
  });
}

Result<SearchResult> Engine::search(const Query& query, const SearchRequest& request,
                                    QueryContext& context) const {
  if (!query.pipeline)
    return bad_query("this is a metrics query: send it to /api/metrics/query_range");
  SPANWAY_ASSIGN(SpanCondition where, condition(*query.pipeline, request.range, context));
  constexpr std::size_t kPageMin = 20;
  TracePages pages(store_, std::move(where), request.range, std::max(kPageMin, request.limit),
                   context);
  Search search(query, request);
  const auto add_page = [&]() -> Result<bool> {
    SPANWAY_ASSIGN(const auto ids, pages.next());
    if (ids.empty()) return false;
    SPANWAY_TRY(read_page(store_, clock_, ids, context, search));
    return true;
  };
  std::string why;
  while (search.found() < request.limit) {
    if (search.inspected() >= kSearchTracesMax) {
      why = std::to_string(search.inspected()) + " traces were evaluated; narrow the query";
      break;
    }
    const auto has_more = add_page();
    if (!has_more.ok()) {
      if (search.found() == 0 || !is_bound(has_more.error())) return has_more.error();
      why = has_more.error().message;
      break;
    }
    if (!*has_more) break;
  }
  pages.report_coverage(why);
  return search.finish();
}

}  // namespace spanway::query::traceql
