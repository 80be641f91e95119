// Joins the small objects of past hours into large ones, so that a search opens few files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/objectstore/manifest.h"
#include "services/lib/objectstore/object_key.h"
#include "services/lib/objectstore/object_store.h"
#include "services/lib/parquet_file/codec.h"

namespace spanway::sinks {

struct CompactOptions {
  std::string prefix = {};
  // Hours that have ended for longer than this.
  Duration age_min = std::chrono::hours(1);
  // Days before today whose hours are compacted.
  int days = 3;
  // Objects of this size stay as they are; a result is at most this large.
  std::uint64_t object_bytes_max = 128u << 20;
  // Rows of a result: all of them are in memory at once, about 1 KiB each.
  std::uint64_t rows_max = 250'000;
  // A result takes no further object once its rows hold this much: texts of many KiB that hardly
  // differ are small in a file and large in memory.
  std::size_t memory_max = 256u << 20;
  // Inputs are deleted when the manifest has replaced them for this long: readers may still be
  // reading them until then.
  Duration delete_after = std::chrono::hours(1);
  // Objects that say which parts of a refused batch are stored are deleted after this time. It is
  // at least the retention of the Kafka topics: a half that comes later stores such a part again.
  Duration stored_parts_life = std::chrono::days(30);
};

struct CompactReport {
  std::uint64_t hours = 0;
  std::uint64_t inputs = 0;
  std::uint64_t outputs = 0;
  std::uint64_t rows = 0;
  std::uint64_t deleted = 0;
  std::uint64_t stored_parts_deleted = 0;
  std::vector<std::string> skipped;  // Objects that stay as they are, each with the reason.
  // Hours that could not be compacted for what they hold, each with the reason. They keep no other
  // hour from being compacted.
  std::vector<std::string> failed;
};

// One run. Its steps, each of which may be the last one: (1) write the result, under a name that
// follows from its inputs' names; (2) write the manifest that names it and what it replaces, on
// condition that the manifest is the one that was read; (3) at a later run, delete the inputs. A
// result without a manifest is never read, and never deleted: a run with the same inputs names it.
// Readers follow the manifest (objectstore/manifest.h), so that no row is seen twice or missed
// after any of them, and the next run resumes. Several runs at once are safe: the manifest's
// condition lets one win, the other reads again. Blocks; single-thread.
class Compactor {
 public:
  // All but the options outlive the compactor.
  Compactor(objectstore::ObjectStore& store, const Clock& clock, const parquet_file::Codec& codec,
            CompactOptions options)
      : store_(store), clock_(clock), codec_(codec), options_(std::move(options)) {}
  Result<CompactReport> run();

 private:
  struct Group;
  Status compact_table(objectstore::StoredTable table);
  Status delete_old_stored_parts(objectstore::StoredTable table, const std::string& tenant);
  Status compact_hour(objectstore::StoredTable table, const std::string& tenant,
                      const std::string& folder);
  // FAILED_PRECONDITION when another run has changed the manifest.
  Status try_hour(objectstore::StoredTable table, const std::string& tenant,
                  const std::string& folder);
  Status delete_old(const std::string& folder, const objectstore::HourObjects& hour);
  std::vector<Group> plan(const objectstore::HourObjects& hour) const;
  // Joins the first of the inputs, as many as memory takes, and returns their number. Nothing is
  // written when only one of them can be read.
  Result<std::size_t> write(objectstore::StoredTable table, const std::string& tenant,
                            const std::string& folder,
                            std::span<const objectstore::LiveObject> inputs,
                            objectstore::HourObjects& hour);
  Status publish(const std::string& folder, objectstore::CompactedObject object,
                 objectstore::HourObjects& hour);

  objectstore::ObjectStore& store_;
  const Clock& clock_;
  const parquet_file::Codec& codec_;
  const CompactOptions options_;
  CompactReport report_;
};

}  // namespace spanway::sinks
