#include "services/query/store/memory/memory_log_store.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "services/lib/block/copy_rows.h"
#include "services/lib/block/text_view.h"

namespace spanway::query {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kDayNanos = 86'400 * kNanosPerSecond;
// As the enumeration of logs.body_kind.
constexpr std::int8_t kTextBody = 0;
constexpr std::int64_t kBucketNanos = 300 * kNanosPerSecond;

template <typename T>
std::span<const T> numbers(const block::Block& block, std::string_view name) {
  return static_cast<const block::FixedColumn&>(*block.find(name)).values<T>();
}

// Conditions on the bodies of records, compiled.
class LineMatcher {
 public:
  static Result<LineMatcher> create(std::span<const LineFilter> filters) {
    LineMatcher matcher;
    for (const LineFilter& filter : filters) {
      std::optional<Regex> regex;
      if (filter.op == MatchOp::kRegex || filter.op == MatchOp::kNotRegex) {
        SPANWAY_ASSIGN(regex, Regex::within(filter.text));
      }
      matcher.all_.emplace_back(filter, std::move(regex));
    }
    return matcher;
  }
  bool matches(std::string_view body) const {
    return std::all_of(all_.begin(), all_.end(), [&](const auto& one) {
      const auto& [filter, regex] = one;
      const bool is_found =
          regex ? regex->matches(body) : body.find(filter.text) != std::string_view::npos;
      const bool wants = filter.op == MatchOp::kEqual || filter.op == MatchOp::kRegex;
      return is_found == wants;
    });
  }

 private:
  std::vector<std::pair<LineFilter, std::optional<Regex>>> all_;
};

TimeRange whole_buckets(TimeRange range) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  range.begin = range.begin / kBucketNanos * kBucketNanos;
  range.end = range.end > kMax - kBucketNanos
                  ? kMax
                  : (range.end + kBucketNanos - 1) / kBucketNanos * kBucketNanos;
  return range;
}

}  // namespace

Status MemoryLogStore::add(std::string_view tenant, std::string_view payload) {
  MutexLock lock(mutex_);
  SPANWAY_ASSIGN(auto blocks, converter_.convert(otlp::Signal::kLogs, payload, {.tenant = tenant}));
  auto entry = std::make_shared<Entry>();
  entry->tenant = tenant;
  entry->bytes = blocks.memory_bytes();
  for (auto& dictionary : blocks.dictionaries) {
    if (dictionary.table == "resources") entry->resources.push_back(std::move(dictionary.rows));
    if (dictionary.table != "log_streams") continue;
    const auto& labels = static_cast<const block::ListColumn&>(*dictionary.rows.find("labels"));
    const auto names = *block::TextView::of(labels.nested(0));
    const auto values = *block::TextView::of(labels.nested(1));
    for (std::size_t row = 0; row < dictionary.rows.rows(); ++row) {
      DayStream& stream = entry->streams.emplace_back();
      stream.id = numbers<std::uint64_t>(dictionary.rows, "stream_id")[row];
      stream.day = numbers<std::uint16_t>(dictionary.rows, "day")[row];
      for (std::size_t at = labels.begin_of(row); at < labels.end_of(row); ++at)
        stream.labels.emplace_back(names.at(at).value_or(""), values.at(at).value_or(""));
    }
  }
  for (auto& data : blocks.data) entry->logs.push_back(std::move(data.rows));
  return ring_.push(std::move(entry));
}

std::size_t MemoryLogStore::memory_bytes() const {
  MutexLock lock(mutex_);
  return ring_.bytes();
}

MemoryLogStore::Entries MemoryLogStore::entries_of(const std::string& tenant) const {
  MutexLock lock(mutex_);
  return ring_.of_tenant(tenant);
}

Status MemoryLogStore::each(const LogSelect& query, QueryContext& context,
                            const Visit& visit) const {
  SPANWAY_TRY(check(query));
  SPANWAY_ASSIGN(const auto labels, LabelMatchers::create(query.matchers));
  SPANWAY_ASSIGN(const auto lines, LineMatcher::create(query.lines));
  ++context.cost.statements;
  for (const auto& entry : entries_of(context.tenant)) {
    std::set<std::uint64_t> streams;
    for (const DayStream& stream : entry->streams)
      if (labels.matches(stream.labels)) streams.insert(stream.id);
    for (const block::Block& rows : entry->logs) {
      if (context.cancel.cancelled())
        return transient_error(Code::kCancelled, "the query was cancelled")
            .with_reason("cancelled");
      context.cost.rows_read += rows.rows();
      context.cost.bytes_read += rows.memory_bytes();
      const auto bodies = *block::TextView::of(*rows.find("body"));
      const auto times = numbers<std::int64_t>(rows, "ts");
      const auto ids = numbers<std::uint64_t>(rows, "stream_id");
      const auto kinds = numbers<std::int8_t>(rows, "body_kind");
      for (std::size_t row = 0; row < rows.rows(); ++row)
        if (query.range.contains(times[row]) && streams.contains(ids[row]) &&
            (kinds[row] != kTextBody || lines.matches(bodies.at(row).value_or(""))))
          visit(entry, rows, row, times[row]);
    }
  }
  return {};
}

Result<std::vector<LogStream>> MemoryLogStore::streams(std::span<const LabelMatcher> matchers,
                                                       TimeRange range, QueryContext& context) {
  SPANWAY_ASSIGN(const auto labels, LabelMatchers::create(matchers));
  std::map<std::uint64_t, Labels> found;
  for (const auto& entry : entries_of(context.tenant))
    for (const DayStream& stream : entry->streams)
      if (stream.day * kDayNanos < range.end && (stream.day + 1) * kDayNanos > range.begin &&
          labels.matches(stream.labels))
        found.emplace(stream.id, stream.labels);
  std::vector<LogStream> result;
  result.reserve(found.size());
  for (auto& [id, own] : found) result.push_back({.id = id, .labels = std::move(own)});
  return result;
}

Result<BlockStreamPtr> MemoryLogStore::select(const LogSelect& query, QueryContext& context) {
  context.coverage = {
      .requested = query.range, .searched = query.range, .complete = true, .why = ""};
  struct Kept {
    std::shared_ptr<const Entry> entry;
    const block::Block* rows;
    std::size_t row;
  };
  // The first one in the order of the result is the last of those kept.
  std::multimap<std::int64_t, Kept> kept;
  const std::int64_t sign = query.is_newest_first ? 1 : -1;
  SPANWAY_TRY(each(query, context,
                   [&](const std::shared_ptr<const Entry>& entry, const block::Block& rows,
                       std::size_t row, std::int64_t time) {
                     kept.emplace(sign * time, Kept{entry, &rows, row});
                     if (kept.size() > query.limit) kept.erase(kept.begin());
                   }));
  block::Block result;
  for (auto one = kept.rbegin(); one != kept.rend(); ++one) {
    if (result.columns() == 0) result = block::empty_like(*one->second.rows);
    block::append_row(*one->second.rows, one->second.row, result);
  }
  // The caller keeps what it needs beyond the next rows.
  SPANWAY_TRY(context.budget.reserve(result.memory_bytes()));
  return one_block(std::move(result));
}

Result<block::Block> MemoryLogStore::resources_of(std::span<const std::uint64_t> ids,
                                                  QueryContext& context) {
  std::set<std::uint64_t> missing(ids.begin(), ids.end());
  block::Block result;
  for (const auto& entry : entries_of(context.tenant))
    for (const block::Block& rows : entry->resources) {
      const auto own = numbers<std::uint64_t>(rows, "res_id");
      for (std::size_t row = 0; row < rows.rows(); ++row) {
        if (missing.erase(own[row]) == 0) continue;
        if (result.columns() == 0) result = block::empty_like(rows);
        block::append_row(rows, row, result);
      }
    }
  return result;
}

Result<std::vector<LogVolume>> MemoryLogStore::volume(std::span<const LabelMatcher> matchers,
                                                      TimeRange range, QueryContext& context) {
  LogSelect query;
  query.range = whole_buckets(range);
  query.matchers.assign(matchers.begin(), matchers.end());
  std::map<std::uint64_t, LogVolume> found;
  SPANWAY_TRY(each(query, context,
                   [&](const std::shared_ptr<const Entry>&, const block::Block& rows,
                       std::size_t row, std::int64_t) {
                     const std::uint64_t id = numbers<std::uint64_t>(rows, "stream_id")[row];
                     LogVolume& volume = found[id];
                     volume.stream_id = id;
                     ++volume.lines;
                     volume.bytes +=
                         block::TextView::of(*rows.find("body"))->at(row).value_or("").size();
                   }));
  std::vector<LogVolume> result;
  result.reserve(found.size());
  for (const auto& [id, volume] : found) result.push_back(volume);
  return result;
}

}  // namespace spanway::query
