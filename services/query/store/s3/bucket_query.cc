#include "services/query/store/s3/bucket_query.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "services/lib/objectstore/object_key.h"
#include "services/query/store/s3/cached_source.h"

namespace spanway::query {
namespace {

using objectstore::LiveObject;

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr std::int64_t kDayMs = 24 * 3'600'000;
constexpr std::int64_t kTimeMax = std::numeric_limits<std::int64_t>::max();
// The entry of an object in a list, about.
constexpr std::size_t kObjectBytes = 512;

std::int64_t nanos(std::int64_t ms) noexcept {
  if (ms < 0) return 0;
  return ms > kTimeMax / kNanosPerMs ? kTimeMax : ms * kNanosPerMs;
}

bool overlaps(TimeRange range, std::int64_t begin, std::int64_t end) noexcept {
  return begin < range.end && end > range.begin;
}

}  // namespace

std::int64_t BucketQuery::begin_of(const LiveObject& object) noexcept {
  return nanos(object.min_ms);
}
std::int64_t BucketQuery::end_of(const LiveObject& object) noexcept {
  return nanos(object.max_ms + 1);  // Names have whole milliseconds.
}

BucketQuery::BucketQuery(const Bucket& bucket, ByteCache& cache, QueryContext& context)
    : bucket_(bucket),
      cache_(cache),
      context_(context),
      store_(bucket.open(context.deadline, stop_.get_token())),
      cancel_(context.cancel.on_cancel([stop = stop_]() mutable { stop.request_stop(); })) {
  ++context_.cost.statements;
}

BucketQuery::~BucketQuery() {
  context_.cost.bytes_read += fetched_bytes_;
  context_.budget.reading.shrink_to(0);
}

Result<std::vector<BucketQuery::Day>> BucketQuery::days(TimeRange range) {
  const std::string folder =
      objectstore::tenant_folder(bucket_.prefix, objectstore::StoredTable::kSpans, context_.tenant);
  auto listing = store_->list(folder, /*by_folder=*/true);
  if (!listing.ok()) return explained_by_store(std::move(listing).error());
  std::vector<Day> days;
  for (const std::string& day : listing->prefixes) {
    const auto begin = objectstore::hour_of_folder(day + "hour=00/");
    if (begin && overlaps(range, nanos(*begin), nanos(*begin + kDayMs)))
      days.push_back({.folder = day, .begin_ms = *begin});
  }
  std::sort(days.begin(), days.end(),
            [](const Day& a, const Day& b) { return a.begin_ms > b.begin_ms; });
  return days;
}

Result<std::vector<LiveObject>> BucketQuery::objects(const Day& day, TimeRange range) {
  auto listing = store_->list(day.folder, /*by_folder=*/false);
  if (!listing.ok()) return explained_by_store(std::move(listing).error());
  listed_bytes_ = listing->objects.size() * kObjectBytes;
  SPANWAY_TRY(reserve(0));
  std::map<std::string_view, std::vector<objectstore::ObjectInfo>> by_hour;
  for (objectstore::ObjectInfo& object : listing->objects) {
    const std::string_view key = object.key;
    const std::size_t hour_end = key.find('/', day.folder.size());
    if (hour_end != std::string_view::npos) by_hour[key.substr(0, hour_end + 1)].push_back(object);
  }
  std::vector<LiveObject> objects;
  for (auto& [hour, listed] : by_hour) {
    auto live = objectstore::live_objects(*store_, std::string(hour), std::move(listed));
    if (!live.ok()) return explained_by_store(std::move(live).error());
    for (LiveObject& object : *live)
      if (overlaps(range, begin_of(object), end_of(object))) objects.push_back(std::move(object));
  }
  std::sort(objects.begin(), objects.end(),
            [](const LiveObject& a, const LiveObject& b) { return a.max_ms > b.max_ms; });
  return objects;
}

Result<std::unique_ptr<parquet_file::File>> BucketQuery::open(const LiveObject& object) {
  if (context_.cancel.cancelled())
    return transient_error(Code::kCancelled, "the query was cancelled").with_reason("cancelled");
  auto file = bucket_.codec.open(
      std::make_shared<CachedSource>(*store_, object.key, object.bytes, cache_, fetched_bytes_));
  if (!file.ok()) return explained_by_store(std::move(file).error().with_context(object.key));
  return file;
}

Status BucketQuery::reserve(std::size_t bytes) {
  return context_.budget.reserve(listed_bytes_ + bytes);
}

Status BucketQuery::count_rows(std::uint64_t rows) {
  Cost& cost = context_.cost;
  cost.rows_read += rows;
  ++cost.blocks;
  cost.bytes_read += fetched_bytes_.exchange(0);
  if (context_.cancel.cancelled())
    return transient_error(Code::kCancelled, "the query was cancelled").with_reason("cancelled");
  const ReadBudget& budget = context_.budget;
  if (cost.rows_read > budget.rows_max || cost.bytes_read > budget.bytes_max)
    return data_error(Code::kResourceExhausted,
                      "the query reads more than " + std::to_string(budget.rows_max) + " rows or " +
                          std::to_string(budget.bytes_max) + " bytes; narrow it by time")
        .with_reason("query_read_limit");
  return {};
}

Error explained_by_store(Error error) {
  const std::string_view reason = error.reason;
  if (reason == "s3_no_such_key" || error.code == Code::kOutOfRange)
    return unavailable("an object was removed while it was read; try again: " + error.message)
        .with_reason("object_changed");
  if (error.refusal == Refusal::kData && error.code == Code::kInvalidArgument)
    return data_error(Code::kInternal, "a stored object cannot be read: " + error.message)
        .with_reason("stored_object_unreadable");
  return error;
}

}  // namespace spanway::query
