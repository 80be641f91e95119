#include "services/query/store/clickhouse/search_planner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/query/store/clickhouse/clickhouse_reading.h"

namespace spanway::query {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::uint64_t kGrowth = 4;
constexpr std::int64_t kStatusError = 2;

// The bucket of the rollups' histograms that holds a duration; one less, as theirs is computed by
// the server.
std::int64_t first_bucket_of(std::uint64_t duration_ns) {
  const double duration = static_cast<double>(std::max<std::uint64_t>(duration_ns, 1));
  return static_cast<std::int64_t>(std::ceil(std::log2(duration) * 4)) - 2;
}

void take(const Comparison& comparison, RollupConditions& out) {
  const auto* text = std::get_if<std::string>(&comparison.value);
  const auto* integer = std::get_if<std::int64_t>(&comparison.value);
  const bool is_equal = comparison.op == Op::kEqual;
  switch (comparison.subject.field) {
    case Field::kService:
      if (is_equal) out.service = *text;
      return;
    case Field::kAttribute:
      // The rollups have the text of this attribute.
      if (is_equal && text != nullptr && comparison.subject.scope == Scope::kResource &&
          comparison.subject.key == "service.name")
        out.service = *text;
      return;
    case Field::kName:
      if (is_equal) out.name = *text;
      return;
    case Field::kKind:
      if (is_equal) out.kind = *integer;
      return;
    case Field::kStatus:
      out.is_error = out.is_error || (is_equal && *integer == kStatusError);
      return;
    case Field::kDuration:
      if ((comparison.op == Op::kGreater || comparison.op == Op::kGreaterEqual || is_equal) &&
          *integer > 0)
        out.duration_min_ns = std::max(out.duration_min_ns, static_cast<std::uint64_t>(*integer));
      return;
    default:
      return;
  }
}

}  // namespace

RollupConditions rollup_conditions(const SpanCondition& condition) {
  RollupConditions result;
  if (condition.kind == SpanCondition::Kind::kComparison) take(condition.comparison, result);
  if (condition.kind == SpanCondition::Kind::kAll)
    for (const SpanCondition& child : condition.children)
      if (child.kind == SpanCondition::Kind::kComparison) take(child.comparison, result);
  return result;
}

clickhouse::Select bucket_statement(const RollupConditions& conditions, TimeRange range,
                                    const std::string& tenant) {
  clickhouse::Select select;
  select.parameters.add("tenant", tenant);
  if (conditions.duration_min_ns > 0) {
    // Spans that take longer; errors among them are not known apart.
    select.sql.add(
        "SELECT t, sum(arraySum((k, v) -> if(k >= {bucket:Int64}, v, 0), mapKeys(hist), "
        "mapValues(hist))) AS candidates FROM");
    select.parameters.add("bucket", first_bucket_of(conditions.duration_min_ns));
  } else if (conditions.is_error) {
    select.sql.add("SELECT t, sum(errors) AS candidates FROM");
  } else {
    select.sql.add("SELECT t, sum(calls) AS candidates FROM");
  }
  select.sql.add(conditions.name ? clickhouse::SqlText("red_5m")
                                 : clickhouse::SqlText("red_service_5m"));
  append_rollup_range(range, select);
  if (conditions.service) {
    select.sql.add("AND service_name = {service:String}");
    select.parameters.add("service", *conditions.service);
  }
  if (conditions.name) {
    select.sql.add("AND name = {name:String}");
    select.parameters.add("name", *conditions.name);
  }
  if (conditions.kind) {
    select.sql.add("AND toInt8(kind) = {kind:Int64}");
    select.parameters.add("kind", *conditions.kind);
  }
  select.sql.add("GROUP BY t HAVING candidates > 0 ORDER BY t DESC LIMIT 20000");
  return select;
}

std::vector<Bucket5m> buckets_in(std::span<const block::Block> blocks) {
  std::vector<Bucket5m> buckets;
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      buckets.push_back({.begin_unix_nano = std::int64_t{numbers<std::uint32_t>(block, "t")[row]} *
                                            kNanosPerSecond,
                         .candidates = numbers<std::uint64_t>(block, "candidates")[row]});
  return buckets;
}

SearchPlanner::SearchPlanner(TimeRange range, std::uint64_t first, std::vector<Bucket5m> buckets)
    : range_(range),
      buckets_(std::move(buckets)),
      target_(std::max<std::uint64_t>(first, 1)),
      end_(range.end) {}

std::optional<SearchWindow> SearchPlanner::next() {
  if (at_ == buckets_.size()) return std::nullopt;
  const std::size_t first = at_;
  std::uint64_t candidates = 0;
  while (at_ < buckets_.size() && candidates < target_) candidates += buckets_[at_++].candidates;
  target_ = target_ > kOneWindow / kGrowth ? kOneWindow : target_ * kGrowth;
  SearchWindow window;
  window.range = {.begin = std::max(range_.begin, buckets_[at_ - 1].begin_unix_nano),
                  .end = std::min(end_, buckets_[first].begin_unix_nano + kRollupNanos)};
  end_ = window.range.begin;
  const std::size_t count = at_ - first;
  const auto possible = static_cast<std::size_t>(
      (buckets_[first].begin_unix_nano - buckets_[at_ - 1].begin_unix_nano) / kRollupNanos + 1);
  if (count < possible && count <= kListedBucketsMax)
    for (std::size_t i = first; i < at_; ++i)
      window.buckets_s.push_back(buckets_[i].begin_unix_nano / kNanosPerSecond);
  return window;
}

void append_buckets(const SearchWindow& window, clickhouse::Select& out) {
  if (window.buckets_s.empty()) return;
  out.sql.add("AND toStartOfFiveMinutes(ts) IN {buckets:Array(DateTime)}");
  out.parameters.add("buckets", std::string_view(number_list(window.buckets_s)));
}

}  // namespace spanway::query
