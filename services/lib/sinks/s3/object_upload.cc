#include "services/lib/sinks/s3/object_upload.h"

#include <set>
#include <utility>

#include "services/lib/sinks/s3/stored_part_objects.h"

namespace spanway::sinks {
namespace {

// A key that may only write cannot list: that this is what it is refused shows that it is known.
bool may_not_list(const Error& error) {
  return error.reason == std::string_view("s3_access_denied");
}

}  // namespace

struct ObjectUpload::Half {
  std::vector<StoredObject> objects;
  std::set<objectstore::StoredTable> tables;  // Whose stored parts are not read yet.
  std::vector<StoredPart> parts;
};

ObjectUpload::ObjectUpload(const ObjectUploadDeps& deps, std::shared_ptr<InFlightBatch> delivery,
                           Permit permit, const pipeline::Metadata& metadata, Deadline deadline,
                           pipeline::Outcome outcome)
    : client_(deps.client),
      clock_(deps.clock),
      events_(deps.events),
      prefix_(deps.prefix),
      tenant_(metadata.tenant),
      identity_(pipeline::parse_batch_identity(metadata.batch_id)),
      delivery_(std::move(delivery)),
      deadline_(deadline),
      outcome_(std::move(outcome)),
      permit_(std::move(permit)) {}

void ObjectUpload::start(std::vector<StoredObject> objects) {
  const auto client = client_.lock();
  if (!client) return;  // The sink is gone; the delivery says so.
  if (objects.empty()) return probe(*client);
  if (identity_.is_unsplit()) return store(*client, std::move(objects));
  const auto half = std::make_shared<Half>();
  for (const StoredObject& object : objects) half->tables.insert(object.table);
  half->objects = std::move(objects);
  leave_out_stored_then_store(half);
}

// An empty batch asks whether the bucket is there.
void ObjectUpload::probe(objectstore::S3Client& client) {
  client.list({.prefix = prefix_, .by_folder = true, .page = "", .keys_max = 1}, deadline_,
              [self = shared_from_this()](Result<objectstore::ListPage> page) {
                if (page.ok() || may_not_list(page.error())) return self->finish(Status());
                self->finish(std::move(page).error());
              });
}

// A half comes after its batch was refused: some of its objects may be stored. A key that may only
// write has written nothing down that it could read.
void ObjectUpload::leave_out_stored_then_store(const std::shared_ptr<Half>& half) {
  const auto client = client_.lock();
  if (!client) return;  // The sink is gone; the delivery says so.
  if (half->tables.empty()) {
    std::erase_if(half->objects, [&](const StoredObject& object) {
      return is_stored(half->parts, identity_, to_string(object.table), object.day);
    });
    if (half->objects.empty()) return finish(Status());
    return store(*client, std::move(half->objects));
  }
  const objectstore::StoredTable table = half->tables.extract(half->tables.begin()).value();
  client->list(
      {.prefix = stored_parts_folder(prefix_, table, tenant_, identity_.batch), .page = ""},
      deadline_, [self = shared_from_this(), half, table](Result<objectstore::ListPage> page) {
        if (!page.ok() && !may_not_list(page.error())) return self->finish(std::move(page).error());
        if (page.ok())
          for (const objectstore::ObjectInfo& object : page->objects)
            if (auto part = parse_stored_part(object.key, table, self->identity_.batch))
              half->parts.push_back(std::move(*part));
        self->leave_out_stored_then_store(half);
      });
}

void ObjectUpload::store(objectstore::S3Client& client, std::vector<StoredObject> objects) {
  {
    MutexLock lock(mutex_);
    open_ = objects.size();
  }
  const SteadyTime start = clock_.now();
  for (StoredObject& object : objects) {
    const StoredPart part{
        .items = identity_, .table = std::string(to_string(object.table)), .day = object.day};
    client.put({.key = std::move(object.key),
                .body = std::move(object.body),
                .content_type = "application/vnd.apache.parquet"},
               deadline_,
               [self = shared_from_this(), start, part, table = object.table, rows = object.rows,
                bytes = object.body.size()](Result<std::string> etag) {
                 if (!etag.ok()) {
                   self->events_->refused(to_string(table), etag.error());
                   return self->answered(part, std::move(etag).error());
                 }
                 const std::chrono::duration<double> took = self->clock_.now() - start;
                 self->events_->stored(to_string(table), rows, bytes, took.count());
                 self->answered(part, Status());
               });
  }
}

void ObjectUpload::answered(StoredPart part, Status status) {
  std::optional<Error> failure;
  std::vector<StoredPart> stored;
  {
    MutexLock lock(mutex_);
    if (status.ok()) {
      stored_.push_back(std::move(part));
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
      {.key = stored_part_key(prefix_, tenant_, part), .body = Bytes()}, deadline_,
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
