#include "services/query/traceql/span_aggregator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "services/query/traceql/compare_spans.h"

namespace spanway::query::traceql {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Key = std::vector<Value>;
struct KeysLess {
  bool operator()(const Key& left, const Key& right) const {
    return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end(),
                                        KeyLess());
  }
};

// Neumaier's sum.
struct Sum {
  double value = kNaN;
  double compensation = 0;
  double count = 0;

  void add(double more) {
    ++count;
    if (std::isnan(value)) {
      value = more;
      return;
    }
    const double total = value + more;
    if (std::isinf(total))
      compensation = 0;
    else if (std::abs(value) >= std::abs(more))
      compensation += (value - total) + more;
    else
      compensation += (more - total) + value;
    value = total;
  }
  double total() const { return value + compensation; }
};

class FunctionAggregator final : public SpanAggregator {
 public:
  FunctionAggregator(const FirstStage& stage, const Intervals& intervals, SeriesBudget& budget)
      : stage_(stage), intervals_(intervals), budget_(budget) {}

  Status observe(const FieldEvaluator& fields, const Span& span) override {
    const auto interval = intervals_.find(span.start_unix_nano);
    if (!interval) return {};
    const std::optional<double> number = number_of(fields, span);
    if (stage_.attribute && !number) return {};
    SPANWAY_ASSIGN(Group * group, group_of(fields, span));
    switch (stage_.function) {
      case MetricsFunction::kRate:
      case MetricsFunction::kCountOverTime:
        ++group->numbers[*interval];
        break;
      case MetricsFunction::kMinOverTime:
        group->numbers[*interval] = std::fmin(group->numbers[*interval], *number);
        break;
      case MetricsFunction::kMaxOverTime:
        group->numbers[*interval] = std::fmax(group->numbers[*interval], *number);
        break;
      case MetricsFunction::kSumOverTime:
      case MetricsFunction::kAvgOverTime:
        group->sums[*interval].add(*number);
        break;
      default: {
        auto [bucket, is_new] = group->buckets.try_emplace(*number);
        if (is_new) {
          SPANWAY_TRY(budget_.take(intervals_.count() + SeriesBudget::kKeyValues));
          bucket->second.resize(intervals_.count());
        }
        ++bucket->second[*interval];
      }
    }
    return {};
  }

  void observe_exemplar(const FieldEvaluator& fields, const Trace&, const Span& span) override {
    constexpr std::int64_t kNanosPerMs = 1'000'000;
    const auto group = groups_.find(key_of(fields, span));
    if (group == groups_.end()) return;
    Exemplar exemplar;
    exemplar.labels = exemplar_labels(fields, span);
    exemplar.time_ms = span.start_unix_nano / kNanosPerMs;
    exemplar.value = has_own_values() ? value_of(fields, span).value_or(kNaN) : kNaN;
    group->second.exemplars.push_back(std::move(exemplar));
  }

  std::vector<Series> series() override {
    // Without labels a count has a series, even of no spans.
    if (groups_.empty() && stage_.by.empty() && is_count())
      groups_[{}].numbers.resize(intervals_.count());
    std::vector<Series> result;
    for (auto& [key, group] : groups_) append(key, group, result);
    return result;
  }

 private:
  struct Group {
    std::vector<double> numbers;
    std::vector<Sum> sums;
    std::map<double, std::vector<std::uint64_t>> buckets;  // By upper bound.
    std::vector<Exemplar> exemplars;
  };

  bool is_count() const {
    return stage_.function == MetricsFunction::kRate ||
           stage_.function == MetricsFunction::kCountOverTime;
  }
  bool has_own_values() const {
    return stage_.attribute && stage_.function != MetricsFunction::kHistogramOverTime;
  }
  bool has_buckets() const {
    return stage_.function == MetricsFunction::kQuantileOverTime ||
           stage_.function == MetricsFunction::kHistogramOverTime;
  }

  // The attribute as a number: the duration of a span in seconds, as in Tempo other durations in
  // nanoseconds.
  std::optional<double> value_of(const FieldEvaluator& fields, const Span& span) const {
    if (!stage_.attribute) return std::nullopt;
    if (stage_.attribute->intrinsic == Intrinsic::kDuration)
      return static_cast<double>(span.duration_ns) / kNanosPerSecond;
    const double number = fields.value(*stage_.attribute, span).as_number();
    return std::isnan(number) ? std::nullopt : std::optional(number);
  }

  // For quantiles and histograms the bucket; durations in seconds.
  std::optional<double> number_of(const FieldEvaluator& fields, const Span& span) const {
    if (!has_buckets()) return value_of(fields, span);
    const Value value = fields.value(*stage_.attribute, span);
    const bool is_integer = value.type == Type::kInt || value.type == Type::kDuration;
    if (!is_integer || value.integer < 2) return std::nullopt;
    const auto bucket = log2_bucket(static_cast<std::uint64_t>(value.integer));
    return value.type == Type::kDuration ? *bucket / kNanosPerSecond : *bucket;
  }

  Key key_of(const FieldEvaluator& fields, const Span& span) const {
    Key key;
    for (Attribute by : stage_.by) {
      if (by.is_intrinsic() || by.scope != AttributeScope::kNone) {
        key.push_back(fields.value(by, span));
        continue;
      }
      // Without a scope: of the span or its resource, not of events and others.
      by.scope = AttributeScope::kSpan;
      Value value = fields.value(by, span);
      by.scope = AttributeScope::kResource;
      key.push_back(value.is_nil() ? fields.value(by, span) : std::move(value));
    }
    return key;
  }

  Result<Group*> group_of(const FieldEvaluator& fields, const Span& span) {
    auto [found, is_new] = groups_.try_emplace(key_of(fields, span));
    Group& group = found->second;
    if (!is_new) return &group;
    const bool has_sums = stage_.function == MetricsFunction::kSumOverTime ||
                          stage_.function == MetricsFunction::kAvgOverTime;
    SPANWAY_TRY(budget_.take(intervals_.count() * (has_sums ? 3 : 1) + SeriesBudget::kKeyValues));
    if (has_sums)
      group.sums.resize(intervals_.count());
    else if (!has_buckets())
      group.numbers.resize(intervals_.count(), is_count() ? 0 : kNaN);
    return &group;
  }

  SeriesLabels labels_of(const Key& key) const {
    SeriesLabels labels;
    for (std::size_t i = 0; i < key.size(); ++i)
      if (!key[i].is_nil()) labels.push_back({to_string(stage_.by[i]), key[i]});
    // A group of spans that have none of the attributes has a name, too.
    if (labels.empty() && !key.empty() && !has_buckets())
      labels.push_back({to_string(stage_.by[0]), Value()});
    if (key.empty() && !has_buckets())
      labels.push_back({kNameLabel, Value::of_string(to_string(stage_.function))});
    return labels;
  }

  void append(const Key& key, Group& group, std::vector<Series>& result) {
    if (stage_.function == MetricsFunction::kQuantileOverTime)
      return append_quantiles(key, group, result);
    if (stage_.function == MetricsFunction::kHistogramOverTime) {
      for (const auto& [bound, counts] : group.buckets) {
        Series& series = result.emplace_back();
        series.labels = labels_of(key);
        series.labels.push_back({"__bucket", Value::of_float(bound)});
        series.values.assign(counts.begin(), counts.end());
      }
      if (!group.buckets.empty()) result.back().exemplars = std::move(group.exemplars);
      return;
    }
    Series& series = result.emplace_back();
    series.labels = labels_of(key);
    series.exemplars = std::move(group.exemplars);
    series.values = std::move(group.numbers);
    if (stage_.function == MetricsFunction::kRate)
      for (double& value : series.values) value /= intervals_.step_seconds();
    for (const Sum& sum : group.sums)
      series.values.push_back(
          stage_.function == MetricsFunction::kAvgOverTime ? sum.total() / sum.count : sum.total());
  }

  void append_quantiles(const Key& key, Group& group, std::vector<Series>& result) {
    for (const double quantile : stage_.quantiles) {
      Series& series = result.emplace_back();
      series.labels = labels_of(key);
      series.labels.push_back({"p", Value::of_float(quantile)});
      for (std::size_t i = 0; i < intervals_.count(); ++i) {
        std::vector<Bucket> buckets;
        for (const auto& [bound, counts] : group.buckets)
          if (counts[i] > 0) buckets.push_back({bound, counts[i]});
        series.values.push_back(log2_quantile(quantile, buckets));
      }
    }
    // Each exemplar is one of the quantile that is nearest to it.
    const auto first = result.end() - std::ssize(stage_.quantiles);
    for (Exemplar& exemplar : group.exemplars) {
      constexpr std::int64_t kNanosPerMs = 1'000'000;
      const auto interval = intervals_.find(exemplar.time_ms * kNanosPerMs);
      if (!interval) continue;
      const auto distance = [&](const Series& series) {
        return std::abs(series.values[*interval] - exemplar.value);
      };
      std::min_element(first, result.end(), [&](const Series& left, const Series& right) {
        return distance(left) < distance(right);
      })->exemplars.push_back(std::move(exemplar));
    }
  }

  const FirstStage& stage_;
  const Intervals& intervals_;
  SeriesBudget& budget_;
  std::map<Key, Group, KeysLess> groups_;
};

}  // namespace

Status SeriesBudget::take(std::size_t values) {
  taken_ += values;
  if (taken_ <= kSeriesValuesMax) return {};
  return data_error(Code::kResourceExhausted,
                    "the query has more than " + std::to_string(kSeriesValuesMax) +
                        " values of series; use a larger step, a shorter range or fewer labels")
      .with_reason("too_many_series");
}

SeriesLabels exemplar_labels(const FieldEvaluator& fields, const Span& span) {
  SeriesLabels labels;
  for (const Intrinsic intrinsic :
       {Intrinsic::kTraceId, Intrinsic::kSpanId, Intrinsic::kName, Intrinsic::kDuration})
    labels.push_back(
        {std::string(to_string(intrinsic)), fields.value({.intrinsic = intrinsic}, span)});
  return labels;
}

std::unique_ptr<SpanAggregator> make_aggregator(const FirstStage& stage, const Intervals& intervals,
                                                SeriesBudget& budget) {
  if (stage.function == MetricsFunction::kCompare)
    return std::make_unique<CompareSpans>(stage, intervals, budget);
  return std::make_unique<FunctionAggregator>(stage, intervals, budget);
}

}  // namespace spanway::query::traceql
