#include "services/query/api/jaeger/search_answers.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/hex.h"
#include "services/lib/base/json_writer.h"
#include "services/query/api/answer_headers.h"
#include "services/query/api/jaeger/jaeger_questions.h"
#include "services/query/api/jaeger/trace_answers.h"

namespace spanway::query::jaeger {
namespace {

constexpr int kOk = 200;
constexpr std::string_view kV1End = ",\"limit\":0,\"offset\":0,\"errors\":null}";

// `errors` of v1: traces that were requested by id and do not exist, and a search that ended early.
std::string errors_of(const SearchParameters& search, const std::set<TraceId>& found,
                      const Coverage& coverage) {
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  bool is_empty = true;
  for (const TraceId& id : search.trace_ids) {
    if (found.contains(id)) continue;
    is_empty = false;
    json.begin_object().member("msg", "trace not found").member("traceID", to_hex(id));
    json.end_object();
  }
  if (search.trace_ids.empty() && !coverage.complete) {
    is_empty = false;
    json.begin_object().member("code", kOk).member("msg", coverage_text(coverage)).end_object();
  }
  json.end_array();
  return is_empty ? "null" : out;
}

void append_operations(const std::vector<Operation>& operations, JsonWriter& json) {
  for (const Operation& operation : operations) {
    json.begin_object().member("name", operation.name);
    json.member("spanKind", kind_name(operation.kind)).end_object();
  }
}

void append_names(const std::vector<std::string>& names, JsonWriter& json) {
  // Go writes a list that was never made as null.
  if (names.empty()) {
    json.null();
    return;
  }
  json.begin_array();
  for (const std::string& name : names) json.value(name);
  json.end_array();
}

Status answer_names(const std::vector<std::string>& names, AnswerWriter& answer) {
  std::string out = "{\"data\":";
  JsonWriter json(out);
  append_names(names, json);
  return answer.write(out + ",\"total\":" + std::to_string(names.size()) + std::string(kV1End));
}

void append_summary(const TraceSummary& summary, JsonWriter& json) {
  json.begin_object().member("traceId", to_hex(summary.trace_id));
  json.member("rootServiceName", summary.root_service);
  json.member("rootOperationName", summary.root_name);
  json.member("minStartTimeUnixNano", std::to_string(summary.begin_unix_nano));
  json.member("maxEndTimeUnixNano", std::to_string(summary.end_unix_nano));
  json.member("spanCount", summary.spans).member("errorSpanCount", summary.errors);
  json.member("orphanSpanCount", summary.orphans).begin_array("services");
  for (const ServiceSpans& service : summary.services) {
    json.begin_object().member("name", service.service).member("spanCount", service.spans);
    json.member("errorSpanCount", service.errors).end_object();
  }
  json.end_array().end_object();
}

}  // namespace

Status answer_search_v1(TraceStore& store, const SearchParameters& search, QueryContext& context,
                        AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto ids, ids_of(store, search, context));
  V1Traces traces(store, context, answer);
  SPANWAY_TRY(in_parts(ids, [&](std::span<const TraceId> part) -> Status {
    SPANWAY_ASSIGN(auto spans, store.spans_of(part, std::nullopt, SpanColumns::kAll, context));
    return traces.append(std::move(spans));
  }));
  return traces.finish(errors_of(search, traces.found(), context.coverage));
}

Status answer_search_v3(TraceStore& store, const SearchParameters& search, QueryContext& context,
                        AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto ids, ids_of(store, search, context));
  V3Traces traces(store, context, answer);
  SPANWAY_TRY(in_parts(ids, [&](std::span<const TraceId> part) -> Status {
    SPANWAY_ASSIGN(auto spans, store.spans_of(part, std::nullopt, SpanColumns::kAll, context));
    return traces.append(std::move(spans));
  }));
  return traces.finish();
}

Status answer_summaries(TraceStore& store, const SearchParameters& search, QueryContext& context,
                        AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto ids, ids_of(store, search, context));
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("summaries");
  SPANWAY_TRY(in_parts(ids, [&](std::span<const TraceId> part) -> Status {
    SPANWAY_ASSIGN(const auto summaries, store.summaries(part, std::nullopt, context));
    for (const TraceSummary& summary : summaries) append_summary(summary, json);
    return {};
  }));
  json.end_array().end_object();
  return answer.write(out);
}

Status answer_services_v1(TraceStore& store, TimeRange range, QueryContext& context,
                          AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto services, services_of(store, range, context));
  return answer_names(services, answer);
}

Status answer_services_v3(TraceStore& store, TimeRange range, QueryContext& context,
                          AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto services, services_of(store, range, context));
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("services");
  for (const std::string& service : services) json.value(service);
  json.end_array().end_object();
  return answer.write(out);
}

Status answer_operation_names(TraceStore& store, const std::string& service, TimeRange range,
                              QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto operations, store.operations(service, range, context));
  std::vector<std::string> names;
  for (const Operation& operation : operations)
    if (names.empty() || names.back() != operation.name) names.push_back(operation.name);
  return answer_names(names, answer);
}

Status answer_operations_v1(TraceStore& store, const std::string& service, std::string_view kind,
                            TimeRange range, QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto operations, operations_of(store, service, kind, range, context));
  std::string out = "{\"data\":";
  JsonWriter json(out);
  json.begin_array();
  append_operations(operations, json);
  json.end_array();
  return answer.write(out + ",\"total\":" + std::to_string(operations.size()) +
                      std::string(kV1End));
}

Status answer_operations_v3(TraceStore& store, const std::string& service, std::string_view kind,
                            TimeRange range, QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto operations, operations_of(store, service, kind, range, context));
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("operations");
  append_operations(operations, json);
  json.end_array().end_object();
  return answer.write(out);
}

Status answer_dependencies_v1(TraceStore& store, std::string_view service, TimeRange range,
                              QueryContext& context, AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto edges, store.dependencies(range, context));
  std::string out = "{\"data\":";
  JsonWriter json(out);
  json.begin_array();
  for (const Dependency& edge : edges) {
    if (!service.empty() && edge.caller != service && edge.callee != service) continue;
    json.begin_object().member("parent", edge.caller).member("child", edge.callee);
    json.member("callCount", edge.calls).end_object();
  }
  json.end_array();
  return answer.write(out + ",\"total\":0" + std::string(kV1End));
}

Status answer_dependencies_v3(TraceStore& store, TimeRange range, QueryContext& context,
                              AnswerWriter& answer) {
  SPANWAY_ASSIGN(const auto edges, store.dependencies(range, context));
  std::string out;
  JsonWriter json(out);
  json.begin_object().begin_array("dependencies");
  for (const Dependency& edge : edges) {
    json.begin_object().member("parent", edge.caller).member("child", edge.callee);
    json.member("callCount", std::to_string(edge.calls)).end_object();
  }
  json.end_array().end_object();
  return answer.write(out);
}

}  // namespace spanway::query::jaeger
