// Aggregations over ranges of logs: a window that slides over the entries once.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "services/query/logql/go_text.h"
#include "services/query/logql/range_functions.h"
#include "services/query/logql/sample_extractor.h"
#include "services/query/logql/step_evaluator.h"

namespace spanway::query::logql {
namespace {

std::string print(const Labels& labels) {
  std::string out = "{";
  for (const auto& [name, value] : labels)
    out += (out.size() > 1 ? ", " : "") + name + "=" + quoted(value);
  return out + "}";
}

Error pipeline_error(const Labels& labels) {
  const std::string error(value_of(labels, kErrorLabel));
  return evaluation_error("pipeline error: '" + error + "' for series: '" + print(labels) +
                          "'.\nUse a label filter to intentionally skip this error. (e.g | "
                          "__error__!=\"" +
                          error +
                          "\").\nTo skip all potential errors you can match empty errors.(e.g "
                          "__error__=\"\")\nThe label filter can also be specified after unwrap. "
                          "(e.g | unwrap latency | __error__=\"\" )\n");
}

// The labels of absent_over_time: those that the selector names.
Labels absent_labels(const LogSelector& selector) {
  std::map<std::string, std::string> labels;
  std::set<std::string> open;
  for (const LabelMatcher& matcher : selector.matchers) {
    if (matcher.label == "__name__") continue;
    if (matcher.op == MatchOp::kEqual && !labels.contains(matcher.label))
      labels[matcher.label] = matcher.value;
    else
      open.insert(matcher.label);
  }
  Labels result;
  for (auto& [name, value] : labels)
    if (!open.contains(name) && !value.empty()) result.emplace_back(name, value);
  return result;
}

std::size_t bytes_of(const Labels& labels) {
  std::size_t bytes = 256;
  for (const auto& [name, value] : labels) bytes += name.size() + value.size() + 64;
  return bytes;
}

class RangeAggregate final : public StepEvaluator {
 public:
  RangeAggregate(const Expr& expr, SampleExtractor extractor, std::unique_ptr<EntryStream> stream,
                 Holding& holding)
      : expr_(expr),
        function_(range_function(expr.name)),
        extractor_(std::move(extractor)),
        stream_(std::move(stream)),
        holding_(holding) {}

  Result<Vector> at(std::int64_t time) override {
    const std::int64_t end = time - expr_.offset_ns;
    const std::int64_t begin = end - expr_.range_ns;
    leave(begin);
    SPANWAY_TRY(enter(begin, end));
    Vector vector;
    for (const auto& [labels, series] : window_) {
      if (!value_of(labels, kErrorLabel).empty() && value_of(labels, kPreserveErrorLabel) != "true")
        return pipeline_error(labels);
      vector.push_back({labels, function_(std::span(series.points).subspan(series.begin), expr_)});
    }
    if (expr_.name != "absent_over_time") return vector;
    return vector.empty() ? Vector{{absent_labels(expr_.selector), 1}} : Vector{};
  }

 private:
  // Points before `begin` have left the window.
  struct Series {
    std::vector<Point> points;
    std::size_t begin = 0;
  };

  void leave(std::int64_t begin) {
    for (auto one = window_.begin(); one != window_.end();) {
      Series& series = one->second;
      while (series.begin < series.points.size() && series.points[series.begin].time <= begin)
        ++series.begin;
      if (series.begin == series.points.size()) {
        holding_.remove(bytes_of(one->first) + series.points.size() * sizeof(Point));
        one = window_.erase(one);
        continue;
      }
      if (series.begin > series.points.size() / 2) {
        holding_.remove(series.begin * sizeof(Point));
        series.points.erase(series.points.begin(),
                            series.points.begin() + static_cast<std::ptrdiff_t>(series.begin));
        series.begin = 0;
      }
      ++one;
    }
  }

  Status enter(std::int64_t begin, std::int64_t end) {
    for (;;) {
      if (!ahead_ && !is_over_) {
        SPANWAY_ASSIGN(ahead_, stream_->next());
        is_over_ = !ahead_;
      }
      if (is_over_ || ahead_->time > end) return {};
      Entry entry = std::move(*ahead_);
      ahead_.reset();
      if (entry.time <= begin) continue;
      auto sample = extractor_.extract(entry);
      if (!sample) continue;
      const auto found = window_.find(sample->labels);
      if (found != window_.end()) {
        found->second.points.push_back({entry.time, sample->value});
        SPANWAY_TRY(holding_.add(sizeof(Point)));
        continue;
      }
      SPANWAY_TRY(holding_.add(bytes_of(sample->labels) + sizeof(Point)));
      window_[std::move(sample->labels)].points.push_back({entry.time, sample->value});
    }
  }

  const Expr& expr_;
  const RangeFunction function_;
  SampleExtractor extractor_;
  const std::unique_ptr<EntryStream> stream_;
  Holding& holding_;
  std::map<Labels, Series> window_;
  std::optional<Entry> ahead_;  // Behind the window.
  bool is_over_ = false;
};

}  // namespace

Result<StepEvaluatorPtr> make_range_aggregate(const Expr& expr, const Grouping* outer,
                                              const EvaluationParts& parts) {
  SPANWAY_ASSIGN(SampleExtractor extractor, SampleExtractor::create(expr, outer));
  EntrySelect select;
  select.matchers = expr.selector.matchers;
  // A window has its end and not its begin.
  select.range.begin = parts.steps.start - expr.offset_ns - expr.range_ns + 1;
  select.range.end = parts.steps.end - expr.offset_ns + 1;
  select.lines = extractor.store_lines();
  SPANWAY_ASSIGN(auto stream, parts.source.select(select));
  return StepEvaluatorPtr(std::make_unique<RangeAggregate>(expr, std::move(extractor),
                                                           std::move(stream), parts.holding));
}

}  // namespace spanway::query::logql
