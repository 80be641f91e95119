#include "services/query/store/span_metrics/span_series.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

namespace spanway::query {
namespace {

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr double kNanosPerSecond = 1e9;
constexpr std::int64_t kHour = 3'600'000'000'000;
// Samples of a step: those of 5 minutes are 15 s and a minute apart.
constexpr int kCallSamples = 20, kLatencySamples = 5;
// Buckets end at 2^17 to 2^35 ns; a quarter of an octave is a bucket of a rollup.
constexpr int kFirstBound = 17, kLastBound = 35, kQuarters = 4;
constexpr std::size_t kBounds = kLastBound - kFirstBound + 1;
using Counts = std::array<double, kBounds + 1>;

constexpr std::array<const char*, 6> kKinds = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL",
                                               "SPAN_KIND_SERVER",      "SPAN_KIND_CLIENT",
                                               "SPAN_KIND_PRODUCER",    "SPAN_KIND_CONSUMER"};

// 16 bytes that depend on the labels alone.
std::string id_of(const Labels& labels) {
  std::string id;
  for (std::uint64_t hash : {0xcbf29ce484222325ULL, 0x84222325cbf29ce4ULL}) {
    const auto mix = [&](std::string_view text) {
      for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
      hash = (hash ^ 0xff) * 0x100000001b3;
    };
    for (const auto& [name, value] : labels) {
      mix(name);
      mix(value);
    }
    for (int i = 0; i < 8; ++i) id += static_cast<char>(hash >> (8 * i));
  }
  return id;
}

Series series_of(const char* metric, const RedRow& row, SeriesType type, const char* status) {
  const auto kind = static_cast<std::size_t>(row.kind);
  Series series;
  series.type = type;
  series.labels = {{kMetricName, metric},
                   {"service", row.service},
                   {"span_kind", kKinds[kind < kKinds.size() ? kind : 0]},
                   {"span_name", row.name}};
  if (status != nullptr) series.labels.emplace_back("status_code", status);
  series.id = id_of(series.labels);
  return series;
}

std::uint64_t calls_of(const RedRow& row, bool is_error) {
  return is_error ? row.errors : row.calls - std::min(row.errors, row.calls);
}

// Calls `visit` with times and the part of the step that is over: its begin, unless the step before
// ends there, and then `samples` more.
template <typename Visit>
void each_time(const SpanRows& rows, const Steps& steps, int samples, const Visit& visit) {
  std::int64_t end = -1;
  for (const RedRow* row : rows) {
    const std::int64_t begin = row->begin_unix_nano;
    if (begin >= steps.end) return;
    if (begin != end) visit(*row, begin, 0.0);
    end = std::min(begin + steps.length, steps.end);
    for (int i = 1; i <= samples; ++i)
      visit(*row, begin + (end - begin) / samples * i, static_cast<double>(i) / samples);
  }
}

// Spans by the bounds, not cumulative.
Counts counts_of(const RedRow& row) {
  Counts counts{};
  for (const auto& [bucket, count] : row.durations) {
    // It ends at 2^((bucket + 1) / 4) ns.
    const int upper = static_cast<int>(std::floor(static_cast<double>(bucket) / kQuarters)) + 1;
    const int place = std::clamp(upper - kFirstBound, 0, static_cast<int>(kBounds));
    counts[static_cast<std::size_t>(place)] += static_cast<double>(count);
  }
  return counts;
}

block::Type type_of(block::Kind kind) {
  block::Type type;
  type.kind = kind;
  return type;
}

block::Type list_of(block::Kind kind) {
  block::Type type = type_of(block::Kind::kArray);
  type.inner.push_back(type_of(kind));
  return type;
}

block::Block empty_points() {
  using block::Kind;
  const std::vector<block::Field> fields = {
      {"series_id", type_of(Kind::kUInt128)}, {"ts", type_of(Kind::kInt64)},
      {"start_ts", type_of(Kind::kInt64)},    {"stale", type_of(Kind::kBool)},
      {"count", type_of(Kind::kUInt64)},      {"sum", type_of(Kind::kFloat64)},
      {"scale", type_of(Kind::kInt8)},        {"zero_count", type_of(Kind::kUInt64)},
      {"pos_offset", type_of(Kind::kInt32)},  {"neg_offset", type_of(Kind::kInt32)},
      {"bounds", list_of(Kind::kFloat64)},    {"counts", list_of(Kind::kUInt64)},
      {"neg_counts", list_of(Kind::kUInt64)}, {"quantile_values", list_of(Kind::kFloat64)}};
  return block::Block(fields);
}

struct Point {
  std::int64_t time_ms = 0;
  std::int64_t start_ms = 0;
  double sum = 0;
};

void append_point(const std::string& id, const Point& point, const Counts& counts,
                  block::Block& out) {
  std::uint64_t total = 0;
  auto& bounds = out.get<block::ListColumn>("bounds");
  auto& lists = out.get<block::ListColumn>("counts");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto count = static_cast<std::uint64_t>(counts[i]);
    total += count;
    static_cast<block::FixedColumn&>(lists.nested()).append(count);
    if (i < kBounds)
      static_cast<block::FixedColumn&>(bounds.nested())
          .append(std::ldexp(1.0, kFirstBound + static_cast<int>(i)) / kNanosPerSecond);
  }
  bounds.close_row();
  lists.close_row();
  out.get<block::FixedColumn>("series_id").append_text(id);
  out.get<block::FixedColumn>("ts").append(point.time_ms);
  out.get<block::FixedColumn>("start_ts").append(point.start_ms);
  out.get<block::FixedColumn>("count").append(total);
  out.get<block::FixedColumn>("sum").append(point.sum / kNanosPerSecond);
  for (const char* name : {"stale", "scale", "zero_count", "pos_offset", "neg_offset", "neg_counts",
                           "quantile_values"})
    out.find(name)->append_default();
}

}  // namespace

Steps steps_of(TimeRange range, std::int64_t now_unix_nano) noexcept {
  constexpr std::int64_t kShort = 6 * kHour, kMedium = 24 * kHour, kHours = 96;
  const std::int64_t end = std::min(range.end, now_unix_nano);
  const std::int64_t length = end - std::clamp<std::int64_t>(range.begin, 0, end);
  if (length <= kShort)
    return {.length = kRollupNanos, .end = now_unix_nano / kRollupNanos * kRollupNanos};
  if (length <= kMedium) return {.length = 3 * kRollupNanos, .end = now_unix_nano};
  return {.length = (length / (kHours * kHour) + 1) * kHour, .end = now_unix_nano};
}

std::vector<SpanRows> grouped(const std::vector<RedRow>& rows) {
  std::map<std::tuple<std::string_view, std::string_view, int>, SpanRows> groups;
  for (const RedRow& row : rows) groups[{row.service, row.name, row.kind}].push_back(&row);
  std::vector<SpanRows> result;
  for (auto& [key, own] : groups) {
    std::sort(own.begin(), own.end(), [](const RedRow* a, const RedRow* b) {
      return a->begin_unix_nano < b->begin_unix_nano;
    });
    result.push_back(std::move(own));
  }
  return result;
}

Series calls_series(const RedRow& row, bool is_error) {
  return series_of(kSpanCalls, row, SeriesType::kCounter,
                   is_error ? "STATUS_CODE_ERROR" : "STATUS_CODE_UNSET");
}

Series latency_series(const RedRow& row) {
  return series_of(kSpanLatency, row, SeriesType::kHistogram, nullptr);
}

SeriesSamples calls_samples(const SpanRows& rows, const Steps& steps, bool is_error,
                            TimeRange range) {
  SeriesSamples result;
  const auto has_calls = [&](const RedRow* row) { return calls_of(*row, is_error) > 0; };
  if (std::none_of(rows.begin(), rows.end(), has_calls)) return result;
  result.series = calls_series(*rows.front(), is_error);
  const std::int64_t start = rows.front()->begin_unix_nano / kNanosPerMs;
  double before = 0;
  each_time(rows, steps, kCallSamples, [&](const RedRow& row, std::int64_t time, double part) {
    const auto calls = static_cast<double>(calls_of(row, is_error));
    if (range.contains(time)) {
      result.times_ms.push_back(time / kNanosPerMs);
      result.start_times_ms.push_back(start);
      result.values.push_back(before + calls * part);
    }
    if (part == 1) before += calls;
  });
  return result;
}

block::Block latency_points(const SpanRows& rows, const Steps& steps, TimeRange range) {
  block::Block result = empty_points();
  const std::string id = latency_series(*rows.front()).id;
  const std::int64_t start = rows.front()->begin_unix_nano / kNanosPerMs;
  Counts before{};
  double sum_before = 0;
  each_time(rows, steps, kLatencySamples, [&](const RedRow& row, std::int64_t time, double part) {
    const Counts own = counts_of(row);
    Counts now = before;
    for (std::size_t i = 0; i < now.size(); ++i) now[i] += std::floor(own[i] * part);
    const double sum = sum_before + static_cast<double>(row.duration_ns) * part;
    if (range.contains(time)) append_point(id, {time / kNanosPerMs, start, sum}, now, result);
    if (part == 1) {
      before = now;
      sum_before = sum;
    }
  });
  return result;
}

}  // namespace spanway::query
