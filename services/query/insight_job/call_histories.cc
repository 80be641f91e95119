#include "services/query/insight_job/call_histories.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <utility>

namespace spanway::query {
namespace {

using insight::CallCounts;
using insight::Durations;
using insight::OperationKey;

constexpr std::int64_t kHourNanos = 3'600'000'000'000;
constexpr std::int64_t kWeekNanos = 7 * kDayNanos;
constexpr std::int64_t kWeeks = 4;
// Rows of so much time, or less, are in memory at once. As rows they take about four times the
// bytes of their columns.
constexpr std::int64_t kPieceNanos = 6 * kHourNanos;
constexpr std::size_t kRowShare = 4;
constexpr double kSlowPart = 0.95;

using Row = std::function<void(const RedRow&)>;

// Reads the range piece by piece; a piece that is too large is halved, down to one window.
Status read_red(TraceStore& store, TimeRange range, QueryContext& context, const Row& row) {
  RedQuery query;
  query.range = range;
  query.kinds = {
      static_cast<int>(otlp::SpanKind::kServer), static_cast<int>(otlp::SpanKind::kClient),
      static_cast<int>(otlp::SpanKind::kProducer), static_cast<int>(otlp::SpanKind::kConsumer)};
  query.by_name = true;
  query.by_kind = true;
  auto rows = store.red(query, context);
  context.budget.memory.shrink_to(0);
  if (rows.ok()) {
    for (const RedRow& one : *rows) row(one);
    return {};
  }
  const std::int64_t windows = (range.end - range.begin) / kRollupNanos;
  if (windows <= 1 || rows.error().code != Code::kResourceExhausted ||
      rows.error().refusal != Refusal::kData)
    return std::move(rows).error();
  const std::int64_t middle = range.begin + windows / 2 * kRollupNanos;
  SPANWAY_TRY(read_red(store, {range.begin, middle}, context, row));
  return read_red(store, {middle, range.end}, context, row);
}

Status read_pieces(TraceStore& store, TimeRange range, QueryContext& context, const Row& row) {
  for (std::int64_t begin = range.begin; begin < range.end; begin += kPieceNanos)
    SPANWAY_TRY(read_red(store, {begin, std::min(begin + kPieceNanos, range.end)}, context, row));
  return {};
}

void add(const RedRow& row, Durations& durations) {
  for (const auto& [bucket, count] : row.durations) durations[bucket] += count;
}

// One stretch of time, window by window.
struct Stretch {
  explicit Stretch(TimeRange own) : range(own) {}
  std::size_t index_of(std::int64_t begin) const {
    return static_cast<std::size_t>((begin - range.begin) / kRollupNanos);
  }
  std::size_t windows() const { return index_of(range.end); }

  TimeRange range;
  std::set<std::size_t> active = {};  // Windows with spans of any operation.
  std::map<OperationKey, std::vector<CallCounts>> calls = {};
};

class Reader {
 public:
  Reader(TraceStore& store, TimeRange window, std::size_t windows, std::size_t operations_max,
         QueryContext& context)
      : store_(store),
        context_(context),
        operations_max_(operations_max),
        newest_({window.end - static_cast<std::int64_t>(windows) * kRollupNanos, window.end}),
        day_({newest_.range.begin - kDayNanos, newest_.range.begin}) {
    const std::int64_t middle = window.begin - kHourNanos / 2 + kRollupNanos;
    // The oldest first.
    for (std::int64_t week = kWeeks; week >= 1; --week)
      hours_.emplace_back(
          TimeRange{middle - week * kWeekNanos, middle - week * kWeekNanos + kHourNanos});
  }

  Result<CallHistories> read() {
    const std::size_t memory_max = context_.budget.memory_max;
    context_.budget.memory_max = memory_max / kRowShare;
    const Status status = read_all();
    context_.budget.memory_max = memory_max;
    if (!status.ok()) return status.error();
    CallHistories result;
    if (!newest_.active.contains(newest_.windows() - 1)) return result;
    for (const OperationKey& operation : operations_) add(operation, result);
    return result;
  }

 private:
  Status read_all() {
    SPANWAY_TRY(read_newest());
    // No spans arrive: that is no change of an operation.
    if (!newest_.active.contains(newest_.windows() - 1)) return {};
    SPANWAY_TRY(read(day_, &last_day_));
    for (Stretch& hour : hours_) SPANWAY_TRY(read(hour, &same_hours_));
    return {};
  }

  // Those with most calls are chosen.
  Status read_newest() {
    std::map<OperationKey, std::uint64_t> calls;
    std::map<OperationKey, std::vector<Durations>> durations;
    SPANWAY_TRY(read_pieces(store_, newest_.range, context_, [&](const RedRow& row) {
      newest_.active.insert(newest_.index_of(row.begin_unix_nano));
      const OperationKey key = key_of(row);
      calls[key] += row.calls;
      auto& own = durations[key];
      own.resize(newest_.windows());
      query::add(row, own[newest_.index_of(row.begin_unix_nano)]);
      count(row, key, newest_);
    }));
    std::vector<std::pair<std::uint64_t, OperationKey>> by_calls;
    by_calls.reserve(calls.size());
    for (const auto& [key, count] : calls) by_calls.emplace_back(count, key);
    std::sort(by_calls.begin(), by_calls.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    by_calls.resize(std::min(by_calls.size(), operations_max_));
    for (auto& [count, key] : by_calls) {
      newest_durations_[key] = std::move(durations[key]);
      operations_.insert(std::move(key));
    }
    return {};
  }

  Status read(Stretch& stretch, std::map<OperationKey, Durations>* durations) {
    return read_pieces(store_, stretch.range, context_, [&](const RedRow& row) {
      stretch.active.insert(stretch.index_of(row.begin_unix_nano));
      OperationKey key = key_of(row);
      if (!operations_.contains(key)) {
        // Operations that are called no more.
        if (operations_.size() >= operations_max_) return;
        operations_.insert(key);
      }
      query::add(row, (*durations)[key]);
      count(row, key, stretch);
    });
  }

  static OperationKey key_of(const RedRow& row) {
    return {row.service, row.name, static_cast<otlp::SpanKind>(row.kind)};
  }
  static void count(const RedRow& row, const OperationKey& key, Stretch& stretch) {
    auto& own = stretch.calls[key];
    own.resize(stretch.windows());
    CallCounts& counts = own[stretch.index_of(row.begin_unix_nano)];
    counts.calls += row.calls;
    counts.errors += row.errors;
  }

  // Appends the stretch's windows from the first with a call on, unless `has_begun`.
  static void append(const Stretch& stretch, const OperationKey& key, bool& has_begun,
                     std::vector<CallCounts>& out) {
    const auto found = stretch.calls.find(key);
    for (const std::size_t window : stretch.active) {
      const CallCounts counts = found == stretch.calls.end() ? CallCounts{} : found->second[window];
      has_begun = has_begun || counts.calls > 0;
      if (has_begun) out.push_back(counts);
    }
  }

  void add(const OperationKey& key, CallHistories& result) {
    auto& latency = result.latencies.emplace_back();
    latency.operation = key;
    latency.windows = std::move(newest_durations_[key]);
    latency.windows.resize(newest_.windows());
    latency.same_hours = std::move(same_hours_[key]);
    latency.last_day = std::move(last_day_[key]);
    auto& rate = result.rates.emplace_back();
    rate.operation = key;
    const auto newest = newest_.calls.find(key);
    if (newest != newest_.calls.end()) rate.windows = newest->second;
    rate.windows.resize(newest_.windows());
    bool is_known_by_weeks = false, is_known_by_day = false;
    for (const Stretch& hour : hours_) append(hour, key, is_known_by_weeks, rate.same_hours);
    append(day_, key, is_known_by_day, rate.last_day);
  }

  TraceStore& store_;
  QueryContext& context_;
  const std::size_t operations_max_;
  Stretch newest_, day_;
  std::vector<Stretch> hours_;
  std::set<OperationKey> operations_;
  std::map<OperationKey, std::vector<Durations>> newest_durations_;
  std::map<OperationKey, Durations> last_day_, same_hours_;
};

}  // namespace

std::map<OperationKey, std::int64_t> CallHistories::slow_ns(std::uint64_t calls_min) const {
  std::map<OperationKey, std::int64_t> result;
  for (const insight::LatencyHistory& history : latencies) {
    std::uint64_t calls = 0;
    for (const auto& [bucket, count] : history.last_day) calls += count;
    if (calls >= calls_min)
      result[history.operation] =
          static_cast<std::int64_t>(duration_quantile_ns(history.last_day, kSlowPart));
  }
  return result;
}

Result<CallHistories> read_histories(TraceStore& store, TimeRange window, std::size_t windows,
                                     std::size_t operations_max, QueryContext& context) {
  return Reader(store, window, windows, operations_max, context).read();
}

}  // namespace spanway::query
