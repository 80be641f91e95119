// One batch on its way into a bucket. Internal to the sink.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/mutex.h"
#include "services/lib/objectstore/s3_client.h"
#include "services/lib/pipeline/batch.h"
#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/sinks/s3/events.h"
#include "services/lib/sinks/s3/stored_object.h"
#include "services/lib/sinks/stored_part.h"

namespace spanway::sinks {

// Shared by the uploads of one sink.
struct ObjectUploadDeps {
  const Clock& clock;
  std::shared_ptr<objectstore::S3Client> client;
  std::shared_ptr<const S3Events> events;
  std::string prefix;
};

// Sends the objects of a batch side by side, one for each table and day, and decides the delivery
// after the last answer. When only some of them are stored, the sender may cut the batch
// differently the next time: which are stored is written down before the refusal is answered, and a
// half is sent without what is stored of it. Thread-safe: answers come on io threads.
class ObjectUpload : public std::enable_shared_from_this<ObjectUpload> {
 public:
  // Uses the metadata of the batch.
  ObjectUpload(const ObjectUploadDeps& deps, std::shared_ptr<InFlightBatch> delivery, Permit permit,
               const pipeline::Metadata& metadata, Deadline deadline, pipeline::Outcome outcome);
  // Without objects the bucket is probed.
  void start(std::vector<StoredObject> objects);

 private:
  void probe(objectstore::S3Client& client);
  // A half while its stored parts are read.
  struct Half;
  void leave_out_stored_then_store(const std::shared_ptr<Half>& half);
  void store(objectstore::S3Client& client, std::vector<StoredObject> objects);
  void answered(StoredPart part, Status status);
  void note_stored_then_refuse(std::vector<StoredPart> stored, Error error);
  void finish(Status status);

  // Weak: an upload must not keep the client alive on the client's own thread.
  const std::weak_ptr<objectstore::S3Client> client_;
  const Clock& clock_;
  const std::shared_ptr<const S3Events> events_;
  const std::string prefix_;
  const std::string tenant_;
  const pipeline::BatchIdentity identity_;
  const std::shared_ptr<InFlightBatch> delivery_;
  const Deadline deadline_;
  pipeline::Outcome outcome_;  // If everything is stored.
  Mutex mutex_;
  Permit permit_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t open_ SPANWAY_GUARDED_BY(mutex_) = 0;  // Requests without an answer.
  std::optional<Error> failure_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<StoredPart> stored_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::sinks
