// Commits: the offset, and the note in its metadata.
#include <algorithm>
#include <utility>

#include "services/kafka-bridge/consume/batch_plan.h"
#include "services/kafka-bridge/consume/partition_lane.h"

namespace spanway::kafka_bridge {
namespace {

// The tenant is read again from there on.
void except(CommitNote& note, const std::string& tenant, std::int64_t from) {
  const auto [entry, fresh] = note.tenants.emplace(tenant, from);
  if (!fresh) entry->second = std::min(entry->second, from);
}

}  // namespace

std::int64_t PartitionLane::position() const {
  std::int64_t position = tracker_.position();
  for (const auto& [tenant, from] : deferred_) position = std::min(position, from);
  if (reread_) position = std::min(position, reread_position());
  return position;
}

// Nothing when nothing of the range is settled.
std::optional<OpenRange::Parts> PartitionLane::open_parts(const OpenBatchRange& batch_range) const {
  const bool untouched =
      batch_range.deliveries.size() == batch_range.batches &&
      std::all_of(batch_range.deliveries.begin(), batch_range.deliveries.end(),
                  [](const auto& delivery) { return delivery->untouched() && !delivery->done(); });
  if (untouched) return std::nullopt;
  OpenRange::Parts parts;
  for (const auto& delivery : batch_range.deliveries) {
    if (delivery->done()) continue;
    if (delivery->is_letter()) {
      parts.letters.push_back(delivery->first_offset());
    } else {
      parts.batches.push_back(
          {delivery->stream().tenant, delivery->item_count(), delivery->open_items()});
    }
  }
  for (const TenantBatch& dropped : batch_range.dropped) {
    if (unread(dropped.batch.tenant, dropped.offsets.last)) parts.batches.push_back(dropped.batch);
  }
  return parts;
}

// Adds what the second reading has not settled, except its ranges.
void PartitionLane::note_reread(CommitNote& note, Detail detail) const {
  if (!reread_) return;
  const bool letters =
      std::any_of(open_.begin(), open_.end(), [](const OpenBatchRange& batch_range) {
        return batch_range.again && !batch_range.planned &&
               std::any_of(batch_range.deliveries.begin(), batch_range.deliveries.end(),
                           [](const auto& delivery) { return delivery->is_letter(); });
      });
  const bool exact = detail == Detail::kExact && !letters;
  const std::int64_t unread = exact ? next_to_read_again() : reread_position();
  if (!exact || reread_->reading) {
    for (const auto& [tenant, from] : reread_->tenants)
      except(note, tenant, std::max(from, unread));
  }
  if (reread_->reading) {
    for (const TenantBatch& batch : reread_->batches) {
      if (batch.offsets.last < unread) continue;
      if (exact) {
        note.batches.push_back(batch);
      } else {
        except(note, batch.batch.tenant, batch.offsets.first);
      }
    }
  }
  for (const OpenBatchRange& batch_range : open_) {
    if (!batch_range.again || batch_range.planned) continue;
    for (const auto& delivery : batch_range.deliveries) {
      if (delivery->done() || delivery->is_letter()) continue;
      const std::string& tenant = delivery->stream().tenant;
      if (exact) {
        note.batches.push_back({{delivery->first_offset(), delivery->last_offset()},
                                {tenant, delivery->item_count(), delivery->open_items()}});
      } else {
        except(note, tenant, delivery->first_offset());
      }
    }
  }
}

CommitNote PartitionLane::note(Detail detail) const {
  CommitNote note;
  for (const auto& [tenant, from] : deferred_) except(note, tenant, from);
  note_reread(note, detail);
  const auto add = [&](const OpenBatchRange& batch_range) {
    OpenRange& range = note.ranges.emplace_back();
    range.offsets = batch_range.range;
    if (detail == Detail::kExact) range.parts = open_parts(batch_range);
  };
  for (const OpenBatchRange& batch_range : open_) {
    if (batch_range.again && batch_range.planned) add(batch_range);
  }
  if (reread_) {
    for (const OpenRange& range : reread_->ranges) {
      note.ranges.push_back(range);
      if (detail == Detail::kCompact) note.ranges.back().parts.reset();
    }
  }
  for (const OpenBatchRange& batch_range : open_) {
    if (batch_range.again) continue;
    if (detail == Detail::kExact || options_.batch_identity || !waits_for_stalls(batch_range)) {
      add(batch_range);
      continue;
    }
    // The other tenants of this range are settled.
    for (const auto& delivery : batch_range.deliveries) {
      except(note, delivery->stream().tenant, delivery->first_offset());
    }
  }
  note.end = tracker_.end();
  const auto trim = [&] {
    if (note.ranges.size() > kNoteRangesMax) return true;
    return !options_.batch_identity && !note.ranges.empty() && !note.ranges.back().parts &&
           note.ranges.back().offsets.last + 1 == note.end;
  };
  while (trim()) {
    note.end = note.ranges.back().offsets.first;
    note.ranges.pop_back();
  }
  // Everything from the end on is read anyway.
  for (const TenantBatch& batch : note.batches) {
    if (batch.offsets.last < note.end || batch.offsets.first >= note.end) continue;
    except(note, batch.batch.tenant, batch.offsets.first);
  }
  std::erase_if(note.batches,
                [&note](const TenantBatch& batch) { return batch.offsets.last >= note.end; });
  return note;
}

// Some of its tenants are done and the others stall: these can be read again by themselves.
bool PartitionLane::waits_for_stalls(const OpenBatchRange& batch_range) const {
  return !batch_range.deliveries.empty() && batch_range.deliveries.size() < batch_range.batches &&
         std::all_of(batch_range.deliveries.begin(), batch_range.deliveries.end(),
                     [this](const auto& delivery) {
                       return delivery->stalled() && delivery->droppable() &&
                              deps_.stalls.stalled(delivery->stream());
                     });
}

std::optional<PartitionLane::Commit> PartitionLane::commit() const {
  Commit commit;
  commit.offset = position();
  commit.planned = range_count_;
  if (options_.batch_identity && reread_) commit.planned += reread_->ranges.size();
  commit.metadata = encode_commit_note(note(Detail::kExact), commit.offset);
  if (commit.metadata.size() > kNoteBytesMax) {
    commit.metadata = encode_commit_note(note(Detail::kCompact), commit.offset);
  }
  if (commit.metadata.size() > kNoteBytesMax) commit.metadata.clear();
  if (commit.offset == committed_ && commit.metadata == committed_metadata_) return std::nullopt;
  return commit;
}

void PartitionLane::on_committed(const Commit& commit) {
  committed_ = commit.offset;
  committed_metadata_ = commit.metadata;
  if (!options_.batch_identity) return;
  planned_ = std::max(planned_, commit.planned);
  schedule_collect();
}

}  // namespace spanway::kafka_bridge
