// The spans of one trace, object by object. Internal to query/store/s3.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "services/query/store/block_stream.h"
#include "services/query/store/s3/object_rows.h"
#include "services/query/store/s3/resource_cache.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// Days from the newest to the oldest; of each object the footer and the bloom filter, several
// objects at a time; then the rows of those that may have the trace. The query's parts outlive the
// stream.
class TraceStream final : public BlockStream {
 public:
  struct Options {
    TraceId trace_id;
    TimeRange range;
    bool all_columns = true;
    std::size_t threads = 1;
  };
  TraceStream(std::unique_ptr<BucketQuery> query, ResourceCache& resources, Options options);
  Result<std::optional<block::Block>> next() override;

 private:
  struct Match {
    objectstore::LiveObject object;
    std::vector<std::size_t> groups;
  };
  // Finds out which of the next objects may have the trace.
  Status probe();
  block::Block rows_of_trace(const block::Block& batch);

  const std::unique_ptr<BucketQuery> query_;
  ResourceCache& resources_;
  const Options options_;
  const std::vector<block::Field> fields_;
  ObjectRows rows_;
  bool reading_ = false;
  std::optional<std::vector<BucketQuery::Day>> days_;  // The next one last.
  std::vector<objectstore::LiveObject> objects_;  // Not yet probed, of one day; the next one last.
  std::vector<Match> matches_;
  std::uint64_t spans_ = 0;
};

}  // namespace spanway::query
