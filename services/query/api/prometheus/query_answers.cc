#include "services/query/api/prometheus/query_answers.h"

#include <chrono>
#include <string>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/query/api/prometheus/parameter_values.h"
#include "services/query/api/prometheus/query_tree.h"
#include "services/query/api/prometheus/result_json.h"
#include "services/query/series/store_series_source.h"

namespace spanway::query::prometheus {
namespace {

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr std::int64_t kStepsMax = 11'000;

Error bad(std::string message) {
  return invalid_argument(std::move(message)).with_reason("bad_parameters");
}

// A mistake in the query is one in the parameter.
Error explained(Error error) {
  if (error.code != Code::kInvalidArgument) return error;
  return invalid_parameter("query", error);
}

Status apply_timeout(const QueryParts& parts, const Parameters& parameters, QueryContext& context) {
  const std::string_view text = parameters.get("timeout");
  if (text.empty()) return {};
  const auto timeout = parse_duration(text);
  if (!timeout.ok()) return invalid_parameter("timeout", timeout.error());
  context.deadline = context.deadline.earlier(Deadline::at(
      parts.clock.now() + std::chrono::nanoseconds(std::max<std::int64_t>(*timeout, 0))));
  return {};
}

Result<promql::EngineOptions> engine_options(const QueryParts& parts, const Parameters& parameters,
                                             const QueryContext& context) {
  promql::EngineOptions options = parts.options;
  // A point is held once, about; the source counts what it reads.
  options.samples_max =
      std::min(options.samples_max, context.budget.memory_max / sizeof(promql::Point));
  const std::string_view text = parameters.get("lookback_delta");
  if (text.empty()) return options;
  const auto lookback = parse_duration(text);
  if (!lookback.ok())
    return bad("error parsing lookback delta duration: " + lookback.error().message);
  if (*lookback > 0) options.lookback_ms = *lookback / kNanosPerMs;
  return options;
}

Status write_answer(promql::QueryResult result, std::size_t limit, const Parameters& parameters,
                    AnswerWriter& writer) {
  const std::string_view query = parameters.get("query");
  std::vector<std::string> warnings = result.annotations.warnings(query);
  if (limit > 0 && (result.vector.size() > limit || result.matrix.size() > limit)) {
    if (result.vector.size() > limit) result.vector.resize(limit);
    if (result.matrix.size() > limit) result.matrix.resize(limit);
    warnings.insert(warnings.begin(), "results truncated due to limit");
  }
  SPANWAY_TRY(writer.write("{\"status\":\"success\",\"data\":"));
  SPANWAY_TRY(write_result(result, writer));
  return writer.write(notes_json(std::move(warnings), result.annotations.infos(query)) + "}");
}

}  // namespace

Status answer_query(const QueryParts& parts, const Parameters& parameters, QueryContext& context,
                    AnswerWriter& writer) {
  SPANWAY_ASSIGN(const std::size_t limit, parse_limit(parameters));
  std::int64_t time = std::chrono::duration_cast<std::chrono::milliseconds>(
                          parts.clock.system_now().time_since_epoch())
                          .count();
  if (const std::string_view text = parameters.get("time"); !text.empty()) {
    const auto parsed = parse_time(text);
    if (!parsed.ok())
      return invalid_parameter("time",
                               bad("invalid time value for 'time': " + parsed.error().message));
    time = *parsed;
  }
  SPANWAY_TRY(apply_timeout(parts, parameters, context));
  SPANWAY_ASSIGN(const auto options, engine_options(parts, parameters, context));
  StoreSeriesSource source(parts.metrics, context, parts.clock);
  auto result = promql::Engine(options).instant(parameters.get("query"), time, source);
  if (!result.ok()) return explained(std::move(result).error());
  return write_answer(std::move(*result), limit, parameters, writer);
}

Status answer_query_range(const QueryParts& parts, const Parameters& parameters,
                          QueryContext& context, AnswerWriter& writer) {
  SPANWAY_ASSIGN(const std::size_t limit, parse_limit(parameters));
  const auto start = parse_time(parameters.get("start"));
  if (!start.ok()) return invalid_parameter("start", start.error());
  const auto end = parse_time(parameters.get("end"));
  if (!end.ok()) return invalid_parameter("end", end.error());
  if (*end < *start)
    return invalid_parameter("end", bad("end timestamp must not be before start time"));
  const auto step = parse_duration(parameters.get("step"));
  if (!step.ok()) return invalid_parameter("step", step.error());
  if (*step < kNanosPerMs)
    return invalid_parameter("step", bad("zero or negative query resolution step widths are not "
                                         "accepted. Try a positive integer"));
  const std::int64_t step_ms = *step / kNanosPerMs;
  if ((*end - *start) / step_ms > kStepsMax)
    return bad(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
        "resolution (?step=XX)");
  SPANWAY_TRY(apply_timeout(parts, parameters, context));
  SPANWAY_ASSIGN(auto options, engine_options(parts, parameters, context));
  options.steps_max = kStepsMax + 1;
  StoreSeriesSource source(parts.metrics, context, parts.clock);
  auto result =
      promql::Engine(options).range(parameters.get("query"), *start, *end, step_ms, source);
  if (!result.ok()) return explained(std::move(result).error());
  return write_answer(std::move(*result), limit, parameters, writer);
}

Status answer_format_query(const QueryParts& parts, const Parameters& parameters,
                           AnswerWriter& writer) {
  const auto expr = promql::parse(parameters.get("query"), parts.options.parse);
  if (!expr.ok()) return explained(Error(expr.error()));
  return writer.write("{\"status\":\"success\",\"data\":" + json_quoted(promql::pretty(**expr)) +
                      "}");
}

Status answer_parse_query(const QueryParts& parts, const Parameters& parameters,
                          AnswerWriter& writer) {
  const auto expr = promql::parse(parameters.get("query"), parts.options.parse);
  if (!expr.ok()) return explained(Error(expr.error()));
  std::string text = "{\"status\":\"success\",\"data\":";
  append_tree(**expr, text);
  return writer.write(text + "}");
}

Status answer_query_exemplars(const QueryParts& parts, const Parameters& parameters,
                              AnswerWriter& writer) {
  SPANWAY_TRY(parse_range(parameters));
  const auto expr = promql::parse(parameters.get("query"), parts.options.parse);
  if (!expr.ok()) return bad(expr.error().message);
  return writer.write("{\"status\":\"success\",\"data\":[]}");
}

}  // namespace spanway::query::prometheus
