// One batch on its way into ClickHouse. Internal to the sink.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/mutex.h"
#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/lib/otlp_blocks/request_blocks.h"
#include "services/lib/pipeline/batch.h"
#include "services/lib/sinks/clickhouse/events.h"
#include "services/lib/sinks/clickhouse/insert_settings.h"
#include "services/lib/sinks/clickhouse/recent_rows.h"
#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/sinks/stored_part.h"

namespace spanway::sinks {

// One INSERT, encoded.
struct PreparedInsert {
  std::string_view table;
  std::int32_t day = 0;  // Set for data rows.
  std::size_t rows = 0;
  std::optional<double> newest;  // Unix seconds, of rows that have a time.
  clickhouse::Insert insert;
  std::vector<std::uint64_t> identities;  // Set for dictionary rows.
};

// Shared by the uploads of one sink; outlives them.
struct UploadDeps {
  const Clock& clock;
  std::shared_ptr<clickhouse::Client> client;
  std::shared_ptr<const ClickHouseEvents> events;
  std::shared_ptr<RecentRows> recent;
  std::shared_ptr<std::atomic<bool>> schema_fits;
  InsertPolicy policy;
  Duration insert_timeout;
  Duration deadline_margin;
};

// Encodes one block after the other and frees it, within `permit`, which covers the blocks.
Result<std::vector<PreparedInsert>> prepare(otlp_blocks::RequestBlocks blocks,
                                            std::string_view batch_id, const InsertPolicy& policy,
                                            bool compress, Permit& permit);

// Checks the schema where that is due, inserts the dictionary rows, then the data, then decides the
// delivery. When only some of a batch's data is stored, the sender may cut the batch differently
// the next time: which part is stored is written down before the refusal is answered, and the data
// of a half is inserted without what is stored of it. Thread-safe: answers come on io threads.
class Upload : public std::enable_shared_from_this<Upload> {
 public:
  Upload(const UploadDeps& deps, std::shared_ptr<InFlightBatch> delivery, Permit permit,
         const pipeline::Metadata& metadata, Deadline deadline, pipeline::Outcome outcome);
  void start(std::vector<PreparedInsert> inserts);

 private:
  void check_schema_then(std::function<void(Status)> next);
  void leave_out_stored_then(void (Upload::*next)());
  void insert_dictionaries();
  void insert_data();
  void insert_all(std::vector<PreparedInsert> inserts, void (Upload::*next)());
  void answered(Status status, void (Upload::*next)());
  void note_stored(std::string_view table, std::int32_t day);
  void note_stored_then_refuse(std::vector<StoredPart> stored, Error error);
  void check_schema_and_refuse(Error error);
  void refuse(Error error);
  void acknowledge();
  Deadline request_deadline() const;

  // Weak: an upload must not keep the client alive on the client's own thread.
  const std::weak_ptr<clickhouse::Client> client_;
  const UploadDeps deps_;
  const std::shared_ptr<InFlightBatch> delivery_;
  const std::string tenant_;
  const pipeline::BatchIdentity identity_;
  const Deadline deadline_;
  pipeline::Outcome outcome_;  // If everything is stored.
  std::vector<PreparedInsert> dictionaries_, data_;
  Mutex mutex_;
  Permit permit_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t open_ SPANWAY_GUARDED_BY(mutex_) = 0;  // Inserts of this step without an answer.
  std::optional<Error> failure_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<StoredPart> stored_ SPANWAY_GUARDED_BY(mutex_);  // Data of this try.
};

}  // namespace spanway::sinks
