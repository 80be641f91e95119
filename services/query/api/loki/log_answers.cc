#include "services/query/api/loki/log_answers.h"

#include <string>

#include "services/query/api/answer_headers.h"
#include "services/query/api/loki/log_result_json.h"
#include "services/query/api/loki/loki_parameters.h"
#include "services/query/log_source/store_entry_source.h"
#include "services/query/logql/parser.h"

namespace spanway::query::loki {
namespace {

Status write(const logql::QueryResult& result, const ApiRequest& request, SteadyTime begin,
             const QueryParts& parts, const QueryContext& context, AnswerWriter& writer) {
  std::size_t entries = result.entries.size();
  for (const logql::ResultSeries& series : result.series) entries += series.points.size();
  const std::chrono::duration<double> taken = parts.clock.now() - begin;
  const AnswerStats stats{.lines = context.cost.rows_read,
                          .bytes = context.cost.bytes_read,
                          .entries = entries,
                          .seconds = taken.count()};
  const std::string warning =
      context.coverage.complete ? std::string() : coverage_text(context.coverage);
  return write_result(result, wants_categories(request), stats, warning,
                      [&](std::string_view text) { return writer.write(text); });
}

// As Loki does: steps are multiples of their length, and the range grows to the next ones.
void align(logql::RangeQuery& range) {
  range.start -= range.start % range.step;
  if (const std::int64_t beyond = range.end % range.step; beyond != 0)
    range.end += range.step - beyond;
}

}  // namespace

std::int64_t now_of(const Clock& clock) {
  return clock.system_now().time_since_epoch() / std::chrono::nanoseconds(1);
}

bool wants_categories(const ApiRequest& request) {
  return request.headers.get("x-loki-response-encoding-flags").find("categorize-labels") !=
         std::string_view::npos;
}

Status answer_query(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                    AnswerWriter& writer) {
  const SteadyTime begin = parts.clock.now();
  SPANWAY_ASSIGN([[maybe_unused]] const std::size_t limit,
                 parse_count(request.parameters, "limit", kEntriesDefault));
  std::int64_t time = now_of(parts.clock);
  if (const std::string_view text = request.parameters.get("time"); !text.empty()) {
    SPANWAY_ASSIGN(time, parse_time(text));
  }
  StoreEntrySource source(parts.logs, context, parts.clock);
  SPANWAY_ASSIGN(const auto result,
                 parts.engine.instant(request.parameters.get("query"), time, source));
  return write(result, request, begin, parts, context, writer);
}

Status answer_query_range(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                          AnswerWriter& writer) {
  const SteadyTime begin = parts.clock.now();
  SPANWAY_ASSIGN(auto range, parse_range_query(request.parameters, now_of(parts.clock)));
  const std::string_view query = request.parameters.get("query");
  SPANWAY_ASSIGN(const auto expr, logql::parse(query));
  if (!logql::is_log(*expr)) align(range);
  StoreEntrySource source(parts.logs, context, parts.clock);
  SPANWAY_ASSIGN(const auto result, parts.engine.range(query, range, source));
  return write(result, request, begin, parts, context, writer);
}

Status answer_format_query(const ApiRequest& request, AnswerWriter& writer) {
  SPANWAY_ASSIGN(const auto expr, logql::parse(request.parameters.get("query")));
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("status", "success").member("data", logql::to_string(*expr));
  json.end_object();
  return writer.write(text + "\n");
}

}  // namespace spanway::query::loki
