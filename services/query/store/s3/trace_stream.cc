#include "services/query/store/s3/trace_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/lib/block/copy_rows.h"
#include "services/query/store/s3/parallel_each.h"

namespace spanway::query {
namespace {

// Objects that are probed before the rows of those that match are read.
constexpr std::size_t kProbedAtOnce = 64;
// The end of an object, its footer and one bloom filter.
constexpr std::size_t kProbeBytes = 1u << 20;

}  // namespace

TraceStream::TraceStream(std::unique_ptr<BucketQuery> query, ResourceCache& resources,
                         Options options)
    : query_(std::move(query)),
      resources_(resources),
      options_(std::move(options)),
      fields_(result_fields(options_.all_columns)),
      rows_(*query_, options_.all_columns ? with_resource(fields_) : fields_) {}

Result<std::optional<block::Block>> TraceStream::next() {
  while (true) {
    if (reading_) {
      SPANWAY_ASSIGN(const auto batch, rows_.next());
      reading_ = batch.has_value();
      if (!batch) continue;
      block::Block found = rows_of_trace(*batch);
      if (found.rows() == 0) continue;
      spans_ += found.rows();
      const std::uint64_t spans_max = query_->context().budget.spans_max;
      if (spans_ > spans_max)
        return data_error(Code::kResourceExhausted, "the answer has more than " +
                                                        std::to_string(spans_max) +
                                                        " rows; narrow it by time")
            .with_reason("too_many_rows");
      return std::optional<block::Block>(std::move(found));
    }
    if (!matches_.empty()) {
      Match match = std::move(matches_.back());
      matches_.pop_back();
      SPANWAY_TRY(rows_.open(match.object, std::move(match.groups)));
      reading_ = true;
    } else if (!objects_.empty()) {
      SPANWAY_TRY(probe());
    } else if (!days_) {
      SPANWAY_ASSIGN(days_, query_->days(options_.range));
      std::reverse(days_->begin(), days_->end());
    } else if (!days_->empty()) {
      SPANWAY_ASSIGN(objects_, query_->objects(days_->back(), options_.range));
      std::reverse(objects_.begin(), objects_.end());
      days_->pop_back();
    } else {
      return std::optional<block::Block>();
    }
  }
}

Status TraceStream::probe() {
  const std::size_t count = std::min(objects_.size(), kProbedAtOnce);
  std::vector<Match> probed(count);
  for (Match& match : probed) {
    match.object = std::move(objects_.back());
    objects_.pop_back();
  }
  SPANWAY_TRY(query_->reserve(std::min(count, options_.threads) * kProbeBytes));
  SPANWAY_TRY(parallel_each(count, options_.threads, [&](std::size_t i) -> Status {
    SPANWAY_ASSIGN(const auto file, query_->open(probed[i].object));
    for (std::size_t group = 0; group < file->row_groups(); ++group) {
      auto may_contain = file->may_contain(group, "trace_id", options_.trace_id);
      if (!may_contain.ok())
        return explained_by_store(
            std::move(may_contain).error().with_context(probed[i].object.key));
      if (*may_contain) probed[i].groups.push_back(group);
    }
    return {};
  }));
  SPANWAY_TRY(query_->count_rows(0));
  for (Match& match : probed)
    if (!match.groups.empty()) matches_.push_back(std::move(match));
  return {};
}

block::Block TraceStream::rows_of_trace(const block::Block& batch) {
  block::Block found(fields_);
  const auto* ids = dynamic_cast<const block::FixedColumn*>(batch.find("trace_id"));
  const auto* starts = dynamic_cast<const block::FixedColumn*>(batch.find("ts"));
  if (ids == nullptr || starts == nullptr) return found;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    if (ids->text_at(row) != options_.trace_id ||
        !options_.range.contains(starts->values<std::int64_t>()[row]))
      continue;
    for (std::size_t i = 0; i < fields_.size(); ++i)
      block::append_row(batch.column(i), row, found.column(i));
    if (options_.all_columns)
      resources_.remember(query_->context().tenant, resource_of(batch, row));
  }
  return found;
}

}  // namespace spanway::query
