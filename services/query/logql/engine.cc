#include "services/query/logql/engine.h"

#include <algorithm>
#include <map>
#include <utility>

#include "services/query/logql/parser.h"
#include "services/query/logql/stage_pipeline.h"
#include "services/query/logql/step_evaluator.h"

namespace spanway::query::logql {
namespace {

constexpr std::int64_t kNanosPerMilli = 1'000'000;

Error too_much(std::string what, const char* reason) {
  return data_error(Code::kResourceExhausted, std::move(what)).with_reason(reason);
}

// With sort or sort_desc the order of a vector is the query's.
bool keeps_order(const Expr& expr) {
  return (expr.kind == NodeKind::kVectorAggregate && expr.name.starts_with("sort")) ||
         std::any_of(expr.args.begin(), expr.args.end(),
                     [](const ExprPtr& arg) { return keeps_order(*arg); });
}

std::size_t bytes_of(const ResultEntry& entry) {
  std::size_t bytes = entry.line.size() + 128;
  for (const Labels* labels : {&entry.labels.stream, &entry.labels.metadata, &entry.labels.parsed})
    for (const auto& [name, value] : *labels) bytes += name.size() + value.size() + 64;
  return bytes;
}

bool by_labels(const ResultSeries& a, const ResultSeries& b) { return a.labels < b.labels; }

}  // namespace

struct EntryPipeline::State {
  ExprPtr expr;
  std::optional<Pipeline> pipeline;
  PipelineLabels labels;
};

EntryPipeline::EntryPipeline(std::unique_ptr<State> state) : state_(std::move(state)) {}
EntryPipeline::~EntryPipeline() = default;
EntryPipeline::EntryPipeline(EntryPipeline&&) noexcept = default;

Result<EntryPipeline> EntryPipeline::create(std::string_view query) {
  auto state = std::make_unique<State>();
  SPANWAY_ASSIGN(state->expr, parse(query));
  if (!is_log(*state->expr))
    return invalid_argument("only log selector is supported").with_reason("bad_query");
  SPANWAY_ASSIGN(state->pipeline, Pipeline::create(state->expr->selector.stages));
  return EntryPipeline(std::move(state));
}

EntrySelect EntryPipeline::select() const {
  EntrySelect select;
  select.matchers = state_->expr->selector.matchers;
  select.lines = state_->pipeline->store_lines();
  return select;
}

std::optional<ResultEntry> EntryPipeline::run(Entry entry) {
  state_->labels.begin(*entry.stream, entry.metadata);
  if (!state_->pipeline->run(entry.time, entry.line, state_->labels)) return std::nullopt;
  return ResultEntry{entry.time, std::move(entry.line), state_->labels.categorized()};
}

Result<QueryResult> Engine::entries(const Expr& expr, const RangeQuery& range,
                                    EntrySource& source) const {
  if (range.limit > options_.entries_max)
    return too_much("max entries limit per query exceeded, limit > max_entries_limit_per_query (" +
                        std::to_string(range.limit) + " > " + std::to_string(options_.entries_max) +
                        ")",
                    "too_many_entries");
  SPANWAY_ASSIGN(const Pipeline pipeline, Pipeline::create(expr.selector.stages));
  PipelineLabels labels;
  EntrySelect select;
  select.matchers = expr.selector.matchers;
  select.range = {range.start, range.end};
  select.lines = pipeline.store_lines();
  select.is_newest_first = range.is_newest_first;
  select.expected = range.limit;
  SPANWAY_ASSIGN(const auto stream, source.select(select));
  Holding holding(source);
  QueryResult result;
  std::optional<std::int64_t> last;
  while (result.entries.size() < range.limit) {
    SPANWAY_ASSIGN(auto entry, stream->next());
    if (!entry) break;
    labels.begin(*entry->stream, entry->metadata);
    if (!pipeline.run(entry->time, entry->line, labels)) continue;
    const bool is_too_near =
        last && range.interval > 0 &&
        (range.is_newest_first ? *last - entry->time : entry->time - *last) < range.interval;
    if (is_too_near) continue;
    last = entry->time;
    ResultEntry& out = result.entries.emplace_back();
    out.time = entry->time;
    out.line = std::move(entry->line);
    out.labels = labels.categorized();
    SPANWAY_TRY(holding.add(bytes_of(out)));
  }
  return result;
}

Result<QueryResult> Engine::metrics(const Expr& expr, const RangeQuery& range, bool is_instant,
                                    EntrySource& source) const {
  QueryResult result;
  result.type = is_instant ? ResultType::kVector : ResultType::kMatrix;
  result.time_ms = range.start / kNanosPerMilli;
  if (is_instant && expr.kind == NodeKind::kLiteral) {
    result.type = ResultType::kScalar;
    result.scalar = expr.number;
    return result;
  }
  const Steps steps{range.start, range.end, range.step};
  Holding holding(source);
  SPANWAY_ASSIGN(const StepEvaluatorPtr evaluator, make_evaluator(expr, {source, holding, steps}));
  std::map<Labels, std::size_t> index;
  for (std::int64_t time = steps.start; time <= steps.end; time += steps.step) {
    SPANWAY_ASSIGN(Vector vector, evaluator->at(time));
    for (Sample& sample : vector) {
      const auto [place, is_new] = index.try_emplace(sample.labels, result.series.size());
      if (is_new) {
        if (index.size() > options_.series_max)
          return too_much("maximum number of series (" + std::to_string(options_.series_max) +
                              ") reached for a single query; consider reducing query cardinality "
                              "by adding more specific stream selectors, reducing the time range, "
                              "or aggregating results with functions like sum, count or topk",
                          "too_many_series");
        result.series.push_back({std::move(sample.labels), {}});
        SPANWAY_TRY(holding.add(512));
      }
      result.series[place->second].points.push_back({time / kNanosPerMilli, sample.value});
      SPANWAY_TRY(holding.add(sizeof(ResultPoint)));
    }
    if (time > std::numeric_limits<std::int64_t>::max() - steps.step) break;
  }
  if (!is_instant || !keeps_order(expr))
    std::sort(result.series.begin(), result.series.end(), by_labels);
  return result;
}

Result<QueryResult> Engine::instant(std::string_view query, std::int64_t time,
                                    EntrySource& source) const {
  SPANWAY_ASSIGN(const ExprPtr expr, parse(query));
  if (is_log(*expr))
    return invalid_argument(
               "log queries are not supported as an instant query type, please change your query "
               "to a range query type")
        .with_reason("bad_query");
  RangeQuery range;
  range.start = range.end = time;
  range.step = 1;
  return metrics(*expr, range, true, source);
}

Result<QueryResult> Engine::range(std::string_view query, const RangeQuery& range,
                                  EntrySource& source) const {
  SPANWAY_ASSIGN(const ExprPtr expr, parse(query));
  if (is_log(*expr)) return entries(*expr, range, source);
  if (range.step <= 0)
    return invalid_argument(
               "zero or negative query resolution step widths are not accepted. Try a positive "
               "integer")
        .with_reason("bad_query");
  if ((range.end - range.start) / range.step > options_.steps_max)
    return too_much(
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of "
        "the step parameter",
        "too_many_steps");
  return metrics(*expr, range, false, source);
}

}  // namespace spanway::query::logql
