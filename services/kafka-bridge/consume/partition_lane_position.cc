// The position of a partition: the offset to commit, and the note in its metadata.
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
  for (const OpenBatchRange& batch_range : open_) {
    if (!batch_range.again) continue;
    if (batch_range.named) position = std::min(position, batch_range.range.first);
    for (const auto& delivery : batch_range.deliveries) {
      if (!delivery->done()) position = std::min(position, delivery->first_offset());
    }
  }
  for (const auto& [tenant, stretches] : unread_.tenants()) {
    std::int64_t first = stretches.front().first;
    if (reread_ && !passed_over(tenant)) first = std::max(first, next_to_read_again());
    position = std::min(position, first);
  }
  if (reread_ && !reread_->ranges.empty()) {
    position = std::min(position, reread_->ranges.front().range.offsets.first);
  }
  for (const KnownRange& known : postponed_) {
    position = std::min(position, known.range.offsets.first);
  }
  return position;
}

// Nothing when nothing of the range is settled, and all of it is its own.
std::optional<OpenRange::Parts> PartitionLane::open_parts(const OpenBatchRange& batch_range) const {
  const bool untouched =
      !batch_range.shared && batch_range.deliveries.size() == batch_range.batches &&
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
  return parts;
}

// Stretches of a tenant as batches of one item: another count at the next reading means all of it.
void PartitionLane::note_unread(CommitNote& note, Detail detail) const {
  for (const auto& [tenant, stretches] : unread_.tenants()) {
    const bool passing = reread_ && !passed_over(tenant);
    for (OffsetRange stretch : stretches) {
      if (passing) stretch.first = std::max(stretch.first, next_to_read_again());
      if (stretch.last < stretch.first) continue;
      if (stretch.last == UnreadRecords::kNoEnd || detail == Detail::kCompact) {
        except(note, tenant, stretch.first);
      } else {
        note.batches.push_back(unsplit_batch(tenant, stretch, 1));
      }
    }
  }
}

// Known ranges that have not been filled again.
void PartitionLane::note_known(CommitNote& note, Detail detail) const {
  const auto add = [&](const KnownRange& known) {
    if (!known.tenant) {
      note.ranges.push_back(known.range);
      if (detail == Detail::kCompact) note.ranges.back().parts.reset();
    } else if (detail == Detail::kExact) {
      note.batches.push_back({known.range.offsets, known.range.parts->batches.front()});
    } else {
      except(note, *known.tenant, known.range.offsets.first);
    }
  };
  if (reread_) {
    for (const KnownRange& known : reread_->ranges) add(known);
  }
  for (const KnownRange& known : postponed_) add(known);
}

// Batches in memory.
void PartitionLane::note_open(CommitNote& note, Detail detail) const {
  for (const OpenBatchRange& batch_range : open_) {
    const bool one_by_one =
        (batch_range.again && !batch_range.named) ||
        (detail == Detail::kCompact && !options_.batch_identity && waits_for_stalls(batch_range));
    if (!one_by_one) {
      OpenRange& range = note.ranges.emplace_back();
      range.offsets = batch_range.range;
      if (detail == Detail::kExact) range.parts = open_parts(batch_range);
      continue;
    }
    for (const auto& delivery : batch_range.deliveries) {
      if (delivery->done()) continue;
      const std::int64_t first = delivery->first_offset();
      const std::string& tenant = delivery->stream().tenant;
      if (delivery->is_letter()) {
        note.ranges.push_back({{first, first}, OpenRange::Parts{{}, {first}}});
      } else if (detail == Detail::kCompact) {
        except(note, tenant, first);
      } else {
        note.batches.push_back({{first, delivery->last_offset()},
                                {tenant, delivery->item_count(), delivery->open_items()}});
      }
    }
  }
}

CommitNote PartitionLane::note(Detail detail) const {
  CommitNote note;
  note_unread(note, detail);
  note_known(note, detail);
  note_open(note, detail);
  std::stable_sort(
      note.ranges.begin(), note.ranges.end(),
      [](const OpenRange& a, const OpenRange& b) { return a.offsets.first < b.offsets.first; });
  note.end = tracker_.end();
  trim(note);
  return note;
}

// Everything from the end on is read anyway.
void PartitionLane::trim(CommitNote& note) const {
  const auto last_needs_no_note = [&] {
    if (note.ranges.size() > kNoteRangesMax) return true;
    return !options_.batch_identity && !note.ranges.empty() && !note.ranges.back().parts &&
           note.ranges.back().offsets.last + 1 == note.end;
  };
  while (last_needs_no_note()) {
    note.end = note.ranges.back().offsets.first;
    note.ranges.pop_back();
  }
  for (const TenantBatch& batch : note.batches) {
    if (batch.offsets.last < note.end || batch.offsets.first >= note.end) continue;
    except(note, batch.batch.tenant, batch.offsets.first);
  }
  std::erase_if(note.batches,
                [&note](const TenantBatch& batch) { return batch.offsets.last >= note.end; });
  std::erase_if(note.ranges,
                [&note](const OpenRange& range) { return range.offsets.last >= note.end; });
  std::erase_if(note.tenants, [&note](const auto& entry) { return entry.second >= note.end; });
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
