// Metrics: functions from spans to series, and operations of series.
#include <algorithm>
#include <utility>

#include "services/query/traceql/parse_state.h"

namespace spanway::query::traceql {
namespace {

constexpr std::pair<std::string_view, MetricsFunction> kFunctions[] = {
    {"rate", MetricsFunction::kRate},
    {"count_over_time", MetricsFunction::kCountOverTime},
    {"min_over_time", MetricsFunction::kMinOverTime},
    {"max_over_time", MetricsFunction::kMaxOverTime},
    {"avg_over_time", MetricsFunction::kAvgOverTime},
    {"sum_over_time", MetricsFunction::kSumOverTime},
    {"quantile_over_time", MetricsFunction::kQuantileOverTime},
    {"histogram_over_time", MetricsFunction::kHistogramOverTime},
    {"compare", MetricsFunction::kCompare},
};

bool is_series_operator(Token op) { return op >= Token::kAdd && op <= Token::kDiv; }
bool is_number_comparison(Token op) {
  return is_comparison(op) && op != Token::kRegex && op != Token::kNotRegex;
}

}  // namespace

bool Parser::is_first_stage() const {
  return std::any_of(std::begin(kFunctions), std::end(kFunctions),
                     [&](const auto& row) { return is_call(row.first); });
}

bool Parser::integer(std::int64_t& value) {
  if (peek().token != Token::kInteger) return unexpected("an integer") != nullptr;
  value = take().integer;
  return true;
}

bool Parser::quantiles(std::vector<double>& quantiles) {
  do {
    const Item item = peek();
    if (item.token != Token::kInteger && item.token != Token::kFloat)
      return unexpected("a number") != nullptr;
    quantiles.push_back(item.token == Token::kInteger ? static_cast<double>(item.integer)
                                                      : item.number);
    take();
  } while (accept(Token::kComma));
  return true;
}

bool Parser::compare_arguments(FirstStage& stage) {
  if (peek().token != Token::kOpenBrace) return unexpected("{") != nullptr;
  stage.selection = filter();
  if (!stage.selection || !accept(Token::kComma)) return !failed_;
  if (!integer(stage.top) || !accept(Token::kComma)) return !failed_;
  return integer(stage.begin_nanos) && expect(Token::kComma) && integer(stage.end_nanos);
}

bool Parser::first_stage(FirstStage& stage) {
  const Item name = take();
  take();  // The parenthesis.
  stage.position = name.position;
  for (const auto& [word, function] : kFunctions)
    if (word == name.text) stage.function = function;
  const bool is_count =
      stage.function == MetricsFunction::kRate || stage.function == MetricsFunction::kCountOverTime;
  if (stage.function == MetricsFunction::kCompare) {
    if (!compare_arguments(stage)) return false;
  } else if (!is_count) {
    if (!attribute(stage.attribute.emplace())) return false;
    if (stage.function == MetricsFunction::kQuantileOverTime &&
        (!expect(Token::kComma) || !quantiles(stage.quantiles)))
      return false;
  }
  if (!expect(Token::kCloseParen)) return false;
  if (stage.function != MetricsFunction::kCompare && accept_word("by")) {
    if (!expect(Token::kOpenParen) || !attribute_list(stage.by) || !expect(Token::kCloseParen))
      return false;
  }
  stage.position.end = last_end_;
  return true;
}

bool Parser::second_stages(Metrics& metrics) {
  while (true) {
    SecondStage stage;
    stage.position = peek().position;
    if (is_number_comparison(peek().token)) {
      stage.kind = SecondStage::Kind::kFilter;
      stage.op = take().token;
      const Part number = part(precedence(stage.op) + 1);
      if (number.kind == PartKind::kNone) return false;
      if (number.kind != PartKind::kNumber)
        return fail(number.position, "syntax error: series are compared with a number") != nullptr;
      constexpr double kNanosPerSecond = 1e9;
      stage.number = number.number.as_number();
      if (number.number.type == Type::kDuration) stage.number /= kNanosPerSecond;
    } else if (accept(Token::kPipe)) {
      if (!is_call("topk") && !is_call("bottomk")) return unexpected("topk or bottomk") != nullptr;
      stage.position = peek().position;
      stage.kind = take().text == "topk" ? SecondStage::Kind::kTopk : SecondStage::Kind::kBottomk;
      take();  // The parenthesis.
      if (!integer(stage.limit) || !expect(Token::kCloseParen)) return false;
    } else {
      return true;
    }
    stage.position.end = last_end_;
    metrics.stages.push_back(stage);
  }
}

bool Parser::check_depth(const Metrics& metrics) {
  if (metrics.depth <= kNestingMax) return true;
  fail(metrics.position,
       "the query has more than " + std::to_string(kNestingMax) + " nested operations of series");
  return false;
}

Part Parser::combine_metrics(const Item& op, Part left, Part right) {
  const auto refuse = [&](Position position, const std::string& what) {
    fail(position, what);
    return Part();
  };
  const bool is_filter = left.kind == PartKind::kMetrics && right.kind == PartKind::kNumber &&
                         is_number_comparison(op.token);
  if (!is_filter && !is_series_operator(op.token))
    return refuse(op.position, "syntax error: unexpected " + describe(op));
  Part result;
  result.kind = PartKind::kMetrics;
  result.position = {left.position.begin, right.position.end};
  if (left.kind == PartKind::kMetrics && right.kind == PartKind::kMetrics) {
    result.metrics = std::make_unique<Metrics>();
    result.metrics->position = result.position;
    result.metrics->op = op.token;
    result.metrics->depth = std::max(left.metrics->depth, right.metrics->depth) + 1;
    if (!check_depth(*result.metrics)) return {};
    result.metrics->left = std::move(left.metrics);
    result.metrics->right = std::move(right.metrics);
    return result;
  }
  const bool is_number_left = left.kind == PartKind::kNumber;
  if (!is_number_left && right.kind != PartKind::kNumber)
    return refuse(op.position, "syntax error: unexpected " + describe(op) +
                                   ", series combine with series in parentheses and numbers");
  if (is_number_left == (right.kind != PartKind::kMetrics))
    return refuse(op.position, "syntax error: unexpected " + describe(op));
  const Part& number = is_number_left ? left : right;
  SecondStage stage;
  stage.position = op.position;
  stage.op = op.token;
  stage.number = number.number.as_number();
  stage.is_number_left = is_number_left;
  stage.kind = is_filter ? SecondStage::Kind::kFilter : SecondStage::Kind::kScalar;
  if (number.number.type == Type::kDuration) {
    constexpr double kNanosPerSecond = 1e9;
    if (!is_filter)
      return refuse(number.position,
                    "duration cannot be used as a scalar operand in metric arithmetic");
    stage.number /= kNanosPerSecond;
  }
  result.metrics = std::move(is_number_left ? right.metrics : left.metrics);
  result.metrics->stages.push_back(stage);
  return result;
}

}  // namespace spanway::query::traceql
