#include "services/query/store/s3/s3_trace_store.h"

#include <algorithm>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include "services/lib/otlp_blocks/resource_rows.h"
#include "services/lib/otlp_blocks/value_reader.h"
#include "services/query/store/filter/span_matcher.h"
#include "services/query/store/s3/newest_rows.h"
#include "services/query/store/s3/object_rows.h"
#include "services/query/store/s3/trace_stream.h"

namespace spanway::query {
namespace {

using objectstore::LiveObject;

constexpr std::int64_t kNanosPerMs = 1'000'000;
constexpr std::int64_t kBucketNanos = 300 * std::int64_t{1'000'000'000};
// Tenants whose figures are remembered.
constexpr std::size_t kCountedTenantsMax = 1024;

Error unreadable() {
  return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
      .with_reason("stored_value_unreadable");
}

// The resources of rows as views, each read once.
class ResourceViews {
 public:
  // Null when the text is none of ours.
  const otlp::ResourceView* view_of(const RowResource& resource) {
    const auto [place, is_new] = views_.try_emplace(resource.id);
    Parsed& parsed = place->second;
    if (is_new) {
      parsed.text = resource.attributes;
      parsed.is_readable = values_.read(parsed.text, parsed.attributes);
      parsed.view.attributes = parsed.attributes;
    }
    return parsed.is_readable ? &parsed.view : nullptr;
  }

 private:
  struct Parsed {
    std::string text;
    std::vector<otlp::AttributeView> attributes;
    otlp::ResourceView view;
    bool is_readable = false;
  };
  std::unordered_map<std::uint64_t, Parsed> views_;
  otlp_blocks::ValueReader values_;
};

Status add_resource(std::uint64_t id, std::string_view attributes, std::string_view schema_url,
                    otlp_blocks::ResourceRows& rows) {
  otlp_blocks::ValueReader values;
  std::vector<otlp::AttributeView> list;
  otlp::ResourceView view;
  if (!values.read(attributes, list)) return unreadable();
  view.attributes = list;
  view.schema_url = schema_url;
  return rows.add(id, view) ? Status() : unreadable();
}

}  // namespace

S3TraceStore::S3TraceStore(Bucket bucket, MemoryBudget& budget, const Clock& clock,
                           S3TraceStoreOptions options)
    : bucket_(std::move(bucket)),
      clock_(clock),
      options_(options),
      cache_(options.cache_bytes, budget.empty_permit()),
      resources_(cache_) {}

struct S3TraceStore::Reading {
  SpanMatcher matcher;
  TimeRange range;
  std::vector<block::Field> fields;
  bool needs_resource = false;
};

Result<S3TraceStore::Reading> S3TraceStore::reading_of(const SpanQuery& query,
                                                       std::vector<block::Field> fields,
                                                       bool needs_resource) const {
  SPANWAY_ASSIGN(SpanMatcher matcher, SpanMatcher::create(query.where));
  Reading reading{.matcher = std::move(matcher), .range = query.range, .fields = {}};
  reading.needs_resource = needs_resource || reads(query.where, Scope::kResource);
  reading.fields = with_fields(std::move(fields), columns_of(query.where));
  if (reading.needs_resource) {
    constexpr std::string_view kId[] = {"res_id"};
    reading.fields = with_resource(with_fields(std::move(reading.fields), kId));
  }
  return reading;
}

Status S3TraceStore::each(BucketQuery& query, const LiveObject& object, const Reading& reading,
                          const VisitRow& visit) {
  ResourceViews views;
  ObjectRows rows(query, reading.fields);
  SPANWAY_TRY(rows.open(object));
  while (true) {
    SPANWAY_ASSIGN(const auto batch, rows.next());
    if (!batch) return {};
    otlp_blocks::SpanReader reader(*batch);
    for (std::size_t row = 0; row < reader.rows(); ++row) {
      if (!reading.range.contains(reader.start_unix_nano(row))) continue;
      const otlp_blocks::StoredSpan* stored = reader.read(row);
      if (stored == nullptr) return unreadable();
      const otlp::ResourceView* resource = nullptr;
      if (reading.needs_resource) {
        resource = views.view_of(resource_of(*batch, row));
        if (resource == nullptr) return unreadable();
      }
      if (reading.matcher.matches(*stored, resource))
        SPANWAY_TRY(visit(*batch, row, *stored, resource));
    }
  }
}

Status S3TraceStore::scan(const SpanQuery& conditions, const Columns& columns,
                          QueryContext& context, const Visit& visit) {
  SPANWAY_ASSIGN(const Reading reading,
                 reading_of(conditions, with_fields({}, columns.names), columns.resource));
  BucketQuery query(bucket_, cache_, context);
  SPANWAY_ASSIGN(const auto days, query.days(conditions.range));
  for (const BucketQuery::Day& day : days) {
    SPANWAY_ASSIGN(const auto objects, query.objects(day, conditions.range));
    for (const LiveObject& object : objects)
      SPANWAY_TRY(
          each(query, object, reading,
               [&](const block::Block&, std::size_t, const otlp_blocks::StoredSpan& stored,
                   const otlp::ResourceView* resource) { return visit(stored, resource); }));
  }
  return {};
}

Result<BlockStreamPtr> S3TraceStore::spans_of(const TraceId& trace_id,
                                              std::optional<TimeRange> hint, SpanColumns columns,
                                              QueryContext& context) {
  return BlockStreamPtr(std::make_unique<TraceStream>(
      std::make_unique<BucketQuery>(bucket_, cache_, context), resources_,
      TraceStream::Options{.trace_id = trace_id,
                           .range = hint.value_or(TimeRange{}),
                           .all_columns = columns == SpanColumns::kAll,
                           .threads = options_.threads}));
}

Result<BlockStreamPtr> S3TraceStore::spans_of(std::span<const TraceId> trace_ids,
                                              std::optional<TimeRange> hint, SpanColumns columns,
                                              QueryContext& context) {
  // Reads of one trace after the other; the ends of the files come from the cache.
  class Traces final : public BlockStream {
   public:
    using Open = std::function<Result<BlockStreamPtr>(const TraceId&)>;
    Traces(std::span<const TraceId> ids, Open open)
        : ids_(ids.begin(), ids.end()), open_(std::move(open)) {}
    Result<std::optional<block::Block>> next() override {
      while (true) {
        if (current_) {
          SPANWAY_ASSIGN(auto block, current_->next());
          if (block) return block;
          current_.reset();
        }
        if (next_ == ids_.size()) return std::optional<block::Block>();
        SPANWAY_ASSIGN(current_, open_(ids_[next_++]));
      }
    }

   private:
    const std::vector<TraceId> ids_;
    const Open open_;
    std::size_t next_ = 0;
    BlockStreamPtr current_;
  };
  return BlockStreamPtr(
      std::make_unique<Traces>(trace_ids, [this, hint, columns, &context](const TraceId& id) {
        return spans_of(id, hint, columns, context);
      }));
}

Result<block::Block> S3TraceStore::resources_of(std::span<const std::uint64_t> ids,
                                                QueryContext& context) {
  otlp_blocks::ResourceRows rows(context.tenant, nullptr);
  std::set<std::uint64_t> missing(ids.begin(), ids.end());
  for (const std::uint64_t id : ids) {
    const auto found = resources_.find(context.tenant, id);
    if (!found || missing.erase(id) == 0) continue;
    SPANWAY_TRY(add_resource(id, found->attributes, found->schema_url, rows));
  }
  if (!missing.empty()) {
    // They have left the cache: any object may have them.
    BucketQuery query(bucket_, cache_, context);
    SPANWAY_ASSIGN(const auto days, query.days({}));
    for (const BucketQuery::Day& day : days) {
      SPANWAY_ASSIGN(const auto objects, query.objects(day, {}));
      for (const LiveObject& object : objects) {
        if (missing.empty()) break;
        ObjectRows reader(query, with_resource(fields_named({"res_id"})));
        SPANWAY_TRY(reader.open(object));
        while (true) {
          SPANWAY_ASSIGN(const auto batch, reader.next());
          if (!batch) break;
          for (std::size_t row = 0; row < batch->rows(); ++row) {
            const RowResource resource = resource_of(*batch, row);
            if (missing.erase(resource.id) == 0) continue;
            resources_.remember(context.tenant, resource);
            SPANWAY_TRY(add_resource(resource.id, resource.attributes, resource.schema_url, rows));
          }
        }
      }
    }
  }
  return std::move(rows.take().rows);
}

Result<BlockStreamPtr> S3TraceStore::newest(const SpanQuery& conditions, SpanColumns columns,
                                            QueryContext& context) {
  context.coverage = {
      .requested = conditions.range, .searched = conditions.range, .complete = true, .why = ""};
  const bool all_columns = columns == SpanColumns::kAll;
  const std::vector<block::Field> result = result_fields(all_columns);
  SPANWAY_ASSIGN(const Reading reading, reading_of(conditions, result, all_columns));
  BucketQuery query(bucket_, cache_, context);
  NewestRows newest(conditions.limit, result);
  SPANWAY_ASSIGN(const auto days, query.days(conditions.range));
  for (const BucketQuery::Day& day : days) {
    if (newest.is_older(day.begin_ms * kNanosPerMs + kDayNanos - 1)) break;
    SPANWAY_ASSIGN(const auto objects, query.objects(day, conditions.range));
    for (const LiveObject& object : objects) {
      if (newest.is_older(BucketQuery::end_of(object) - 1)) break;
      SPANWAY_TRY(
          each(query, object, reading,
               [&](const block::Block& batch, std::size_t row, const otlp_blocks::StoredSpan& span,
                   const otlp::ResourceView*) -> Status {
                 const auto start = static_cast<std::int64_t>(span.span.start_time_unix_nano);
                 if (all_columns && !newest.is_older(start))
                   resources_.remember(context.tenant, resource_of(batch, row));
                 newest.add(batch, row, start);
                 return {};
               }));
      SPANWAY_TRY(context.budget.keep(newest.memory_bytes()));
    }
  }
  return one_block(newest.take());
}

std::optional<StoreStatus> S3TraceStore::counted(const std::string& tenant) {
  MutexLock lock(mutex_);
  const auto known = counted_.find(tenant);
  if (known == counted_.end() || clock_.now() - known->second.at >= options_.status_age_max)
    return std::nullopt;
  return known->second.status;
}

Result<StoreStatus> S3TraceStore::status(QueryContext& context) {
  BucketQuery query(bucket_, cache_, context);
  if (auto known = counted(context.tenant)) {
    SPANWAY_TRY(query.days({}));  // Old figures, of a bucket that answers now.
    return std::move(*known);
  }
  SPANWAY_ASSIGN(StoreStatus status, count(query));
  MutexLock lock(mutex_);
  if (counted_.size() >= kCountedTenantsMax && !counted_.contains(context.tenant))
    counted_.erase(counted_.begin());
  counted_[context.tenant] = {.at = clock_.now(), .status = status};
  return status;
}

Status S3TraceStore::ping(QueryContext& context) {
  SPANWAY_TRY(BucketQuery(bucket_, cache_, context).days({}));
  return {};
}

Result<StoreStatus> S3TraceStore::count(BucketQuery& query) const {
  StoreStatus status{
      .type = "s3", .endpoint = bucket_.endpoint, .spans = 0, .newest_unix_nano = std::nullopt};
  SPANWAY_ASSIGN(const auto days, query.days({}));
  for (const BucketQuery::Day& day : days) {
    SPANWAY_ASSIGN(const auto objects, query.objects(day, {}));
    for (const LiveObject& object : objects) {
      status.spans += object.rows;
      const std::int64_t newest = object.max_ms * kNanosPerMs / kBucketNanos * kBucketNanos;
      status.newest_unix_nano = std::max(status.newest_unix_nano.value_or(newest), newest);
    }
  }
  return status;
}

}  // namespace spanway::query
