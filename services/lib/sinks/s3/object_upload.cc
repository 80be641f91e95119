#include "services/lib/sinks/s3/object_upload.h"

#include <utility>

#include "services/lib/sinks/s3/stored_part_objects.h"

namespace spanway::sinks {
namespace {

// A key that may only write cannot list: that this is what it is refused shows that it is known.
bool may_not_list(const Error& error) {
  return error.reason == std::string_view("s3_access_denied");
}

}  // namespace

ObjectUpload::ObjectUpload(const ObjectUploadDeps& deps, std::shared_ptr<Delivery> delivery,
                           Permit permit, const pipeline::Batch& batch, Deadline deadline,
                           pipeline::Outcome outcome)
    : client_(deps.client),
      clock_(deps.clock),
      events_(deps.events),
      prefix_(deps.prefix),
      signal_(batch.signal),
      tenant_(batch.metadata.tenant),
      folder_{.prefix = prefix_, .signal = signal_, .tenant = tenant_, .batch = {}},
      identity_(pipeline::parse_batch_identity(batch.metadata.batch_id)),
      delivery_(std::move(delivery)),
      deadline_(deadline),
      outcome_(std::move(outcome)),
      permit_(std::move(permit)) {}

void ObjectUpload::start(std::vector<StoredObject> objects) {
  const auto client = client_.lock();
  if (!client) return;  // The sink is gone; the delivery says so.
  if (objects.empty()) return probe(*client);
  if (identity_.is_whole()) return store(*client, std::move(objects));
  leave_out_stored_then_store(*client, std::move(objects));
}

// An empty batch asks whether the bucket is there.
void ObjectUpload::probe(objectstore::S3Client& client) {
  client.list({.prefix = prefix_, .by_folder = true, .page = "", .keys_max = 1}, deadline_,
              [self = shared_from_this()](Result<objectstore::ListPage> page) {
                if (page.ok() || may_not_list(page.error())) return self->finish(Status());
                self->finish(std::move(page).error());
              });
}

// A half comes after its batch was refused: some of its days may be stored. A key that may only
// write has written nothing down that it could read.
void ObjectUpload::leave_out_stored_then_store(objectstore::S3Client& client,
                                               std::vector<StoredObject> objects) {
  const auto waiting = std::make_shared<std::vector<StoredObject>>(std::move(objects));
  client.list({.prefix = stored_parts_folder(folder_, identity_.batch), .page = ""}, deadline_,
              [self = shared_from_this(), waiting](Result<objectstore::ListPage> page) {
                if (!page.ok() && !may_not_list(page.error()))
                  return self->finish(std::move(page).error());
                std::vector<StoredPart> parts;
                if (page.ok())
                  for (const objectstore::ObjectInfo& object : page->objects)
                    if (auto part = parse_stored_part(object.key, self->identity_.batch))
                      parts.push_back(std::move(*part));
                std::erase_if(*waiting, [&](const StoredObject& object) {
                  return is_stored(parts, self->identity_, "", object.day);
                });
                if (waiting->empty()) return self->finish(Status());
                if (const auto alive = self->client_.lock())
                  self->store(*alive, std::move(*waiting));
              });
}

void ObjectUpload::store(objectstore::S3Client& client, std::vector<StoredObject> objects) {
  {
    MutexLock lock(mutex_);
    open_ = objects.size();
  }
  const SteadyTime start = clock_.now();
  for (StoredObject& object : objects)
    client.put({.key = std::move(object.key),
                .body = std::move(object.body),
                .content_type = "application/vnd.apache.parquet"},
               deadline_,
               [self = shared_from_this(), start, table = object.table, day = object.day,
                rows = object.rows, bytes = object.body.size()](Result<std::string> etag) {
                 if (!etag.ok()) {
                   self->events_->refused(table, etag.error());
                   return self->answered(day, std::move(etag).error());
                 }
                 const std::chrono::duration<double> took = self->clock_.now() - start;
                 self->events_->stored(table, rows, bytes, took.count());
                 self->answered(day, Status());
               });
}

void ObjectUpload::answered(std::int32_t day, Status status) {
  std::optional<Error> failure;
  std::vector<StoredPart> stored;
  {
    MutexLock lock(mutex_);
    if (status.ok()) {
      stored_.push_back({.items = identity_, .table = {}, .day = day});
    } else if (!failure_ || failure_->refusal == Refusal::kData) {
      failure_ = std::move(status).error();
    }
    if (--open_ > 0) return;
    failure = std::move(failure_);
    stored = std::move(stored_);
  }
  if (!failure) return finish(Status());
  if (stored.empty() || identity_.batch.empty()) return finish(std::move(*failure));
  note_stored_then_refuse(std::move(stored), std::move(*failure));
}

void ObjectUpload::note_stored_then_refuse(std::vector<StoredPart> stored, Error error) {
  const auto client = client_.lock();
  if (!client) return;  // The sink is gone; the delivery says so.
  const StoredPart part = std::move(stored.back());
  stored.pop_back();
  client->put(
      {.key = stored_part_key(folder_, part), .body = Bytes()}, deadline_,
      [self = shared_from_this(), stored = std::move(stored),
       error = std::move(error)](Result<std::string> noted) mutable {
        if (noted.ok()) {
          if (stored.empty()) return self->finish(std::move(error));
          return self->note_stored_then_refuse(std::move(stored), std::move(error));
        }
        // The batch must not be cut while this is not written down: the same batch comes again.
        self->finish(
            unavailable("Some of the batch is stored and the rest was refused (" + error.message +
                        "); which part it is cannot be written down: " + noted.error().message)
                .with_reason("s3_part_stored"));
      });
}

void ObjectUpload::finish(Status status) {
  {
    MutexLock lock(mutex_);
    permit_.release();
  }
  if (!status.ok()) return delivery_->finish(std::move(status).error());
  delivery_->finish(std::move(outcome_));
}

}  // namespace spanway::sinks
