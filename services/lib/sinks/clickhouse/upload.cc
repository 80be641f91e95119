#include "services/lib/sinks/clickhouse/upload.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/lib/clickhouse/native_writer.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/sinks/clickhouse/schema_check.h"
#include "services/lib/sinks/clickhouse/stored_parts_table.h"

namespace spanway::sinks {
namespace {

// An upper bound of the bytes that zstd adds to a body that cannot be compressed.
constexpr std::size_t kCompressionOverhead = 64u << 10;

// The permit covers `others` bytes besides this insert before and after.
Result<clickhouse::Insert> encode(std::string_view table, const block::Block& rows, bool compress,
                                  std::size_t others, Permit& permit) {
  SPANWAY_TRY(rows.check());
  const std::size_t native = clickhouse::native_bytes_max(rows);
  if (!permit.grow_to(others + rows.memory_bytes() + native)) return no_memory("encode a block");
  clickhouse::Insert insert;
  insert.sql = clickhouse::insert_sql(table, rows);
  clickhouse::append_native(rows, insert.body);
  if (!compress) return insert;
  if (!permit.grow_to(others + rows.memory_bytes() + 2 * native + kCompressionOverhead))
    return no_memory("compress a block");
  SPANWAY_ASSIGN(insert.body, http::encode(http::ContentCoding::kZstd, insert.body.view()));
  insert.content_encoding = "zstd";
  return insert;
}

// The newest time of the column `ts`, in Unix seconds.
std::optional<double> newest_of(const block::Block& rows) {
  const auto* times = dynamic_cast<const block::FixedColumn*>(rows.find("ts"));
  if (times == nullptr || times->type().kind != block::Kind::kDateTime64) return std::nullopt;
  const auto ticks = times->values<std::int64_t>();
  if (ticks.empty()) return std::nullopt;
  return static_cast<double>(*std::max_element(ticks.begin(), ticks.end())) /
         std::pow(10.0, times->type().scale);
}

// The order in which failures of one batch are reported: configuration, transient, unknown, data.
// Data comes last, because the rows of the other insert were not refused for what they hold.
int urgency(const Error& error) noexcept {
  switch (error.refusal) {
    case Refusal::kConfiguration:
      return 3;
    case Refusal::kTransient:
      return 2;
    case Refusal::kUnknown:
      return 1;
    case Refusal::kData:
      break;
  }
  return 0;
}

// Refusals that a change of the tables may have caused: of rows that fitted them, and of names that
// the server does not know.
bool concerns_tables(const Error& error) {
  return error.refusal == Refusal::kData ||
         (error.refusal == Refusal::kConfiguration &&
          (error.code == Code::kNotFound || error.code == Code::kFailedPrecondition));
}

}  // namespace

Result<std::vector<PreparedInsert>> prepare(otlp_blocks::RequestBlocks blocks,
                                            std::string_view batch_id, const InsertPolicy& policy,
                                            bool compress, Permit& permit) {
  std::vector<PreparedInsert> inserts;
  std::size_t bodies = 0, waiting = blocks.memory_bytes();
  const auto add = [&](std::string_view table, block::Block& rows,
                       clickhouse::Settings settings) -> Status {
    waiting -= rows.memory_bytes();
    const std::optional<double> newest = newest_of(rows);
    SPANWAY_ASSIGN(clickhouse::Insert insert,
                   encode(table, rows, compress, bodies + waiting, permit));
    insert.settings = std::move(settings);
    bodies += insert.body.capacity();
    inserts.push_back({.table = table,
                       .rows = rows.rows(),
                       .newest = newest,
                       .insert = std::move(insert),
                       .identities = {}});
    rows = block::Block();
    permit.shrink_to(bodies + waiting);
    return {};
  };
  for (otlp_blocks::DictionaryBlock& block : blocks.dictionaries) {
    SPANWAY_TRY(add(block.table, block.rows, dictionary_settings(policy)));
    inserts.back().identities = std::move(block.identities);
  }
  for (otlp_blocks::DataBlock& block : blocks.data) {
    std::string token = deduplication_token(batch_id, block.table, block.day, block.rows);
    SPANWAY_TRY(add(block.table, block.rows, data_settings(policy, std::move(token))));
    inserts.back().day = block.day;
  }
  return inserts;
}

Upload::Upload(const UploadDeps& deps, std::shared_ptr<InFlightBatch> delivery, Permit permit,
               const pipeline::Metadata& metadata, Deadline deadline, pipeline::Outcome outcome)
    : client_(deps.client),
      deps_([&] {
        UploadDeps own = deps;
        own.client.reset();
        return own;
      }()),
      delivery_(std::move(delivery)),
      tenant_(metadata.tenant),
      identity_(pipeline::parse_batch_identity(metadata.batch_id)),
      deadline_(deadline),
      outcome_(std::move(outcome)),
      permit_(std::move(permit)) {}

void Upload::start(std::vector<PreparedInsert> inserts) {
  for (PreparedInsert& insert : inserts)
    (insert.identities.empty() ? data_ : dictionaries_).push_back(std::move(insert));
  // An empty batch is a probe: only the server can answer it.
  const bool is_probe = dictionaries_.empty() && data_.empty();
  if (!is_probe && deps_.schema_fits->load(std::memory_order_acquire))
    return leave_out_stored_then(&Upload::insert_dictionaries);
  check_schema_then([self = shared_from_this()](Status status) {
    if (!status.ok()) return self->refuse(std::move(status).error());
    self->leave_out_stored_then(&Upload::insert_dictionaries);
  });
}

void Upload::check_schema_then(std::function<void(Status)> next) {
  const auto client = client_.lock();
  if (!client) return;  // The sink is gone; the delivery says so.
  check_schema(*client, SchemaScope::kWritten, request_deadline(),
               [self = shared_from_this(), next = std::move(next)](Status status) {
                 if (status.ok()) {
                   if (!self->deps_.schema_fits->exchange(true, std::memory_order_acq_rel))
                     self->deps_.events->schema_accepted();
                 } else if (status.error().reason == std::string_view("schema_mismatch")) {
                   self->deps_.schema_fits->store(false, std::memory_order_release);
                   self->deps_.events->schema_refused(status.error());
                 }
                 next(std::move(status));
               });
}

// A half comes after its batch was refused: some of its rows may be stored.
void Upload::leave_out_stored_then(void (Upload::*next)()) {
  if (identity_.is_unsplit() || data_.empty()) return (this->*next)();
  const auto client = client_.lock();
  if (!client) return;  // The sink is gone; the delivery says so.
  read_stored_parts(*client, tenant_, identity_.batch, request_deadline(),
                    [self = shared_from_this(), next](Result<std::vector<StoredPart>> parts) {
                      if (!parts.ok()) return self->refuse(std::move(parts).error());
                      std::erase_if(self->data_, [&](const PreparedInsert& insert) {
                        return is_stored(*parts, self->identity_, insert.table, insert.day);
                      });
                      (self.get()->*next)();
                    });
}

void Upload::insert_dictionaries() { insert_all(std::move(dictionaries_), &Upload::insert_data); }
void Upload::insert_data() { insert_all(std::move(data_), &Upload::acknowledge); }

// Sends all, and calls `next` after the last answer when each is good.
void Upload::insert_all(std::vector<PreparedInsert> inserts, void (Upload::*next)()) {
  if (inserts.empty()) return (this->*next)();
  const auto client = client_.lock();
  if (!client) return;  // The sink is gone; the delivery says so.
  {
    MutexLock lock(mutex_);
    open_ = inserts.size();
  }
  for (PreparedInsert& prepared : inserts) {
    const SteadyTime start = deps_.clock.now();
    const std::size_t bytes = prepared.insert.body.size();
    client->insert(std::move(prepared.insert), request_deadline(),
                   [self = shared_from_this(), next, start, bytes, table = prepared.table,
                    day = prepared.day, rows = prepared.rows, newest = prepared.newest,
                    identities = std::move(prepared.identities)](Status status) {
                     if (status.ok()) {
                       const std::chrono::duration<double> took = self->deps_.clock.now() - start;
                       self->deps_.events->inserted(table, rows, bytes, took.count(), newest);
                       self->deps_.recent->add(identities);
                       if (identities.empty()) self->note_stored(table, day);
                     } else {
                       self->deps_.events->refused(table, status.error());
                     }
                     self->answered(std::move(status), next);
                   });
  }
}

void Upload::answered(Status status, void (Upload::*next)()) {
  std::optional<Error> failure;
  std::vector<StoredPart> stored;
  {
    MutexLock lock(mutex_);
    if (!status.ok() && (!failure_ || urgency(status.error()) > urgency(*failure_)))
      failure_ = std::move(status).error();
    if (--open_ > 0) return;
    failure = failure_;
    stored = std::move(stored_);
  }
  if (!failure) return (this->*next)();
  if (stored.empty() || identity_.batch.empty())
    return check_schema_and_refuse(std::move(*failure));
  note_stored_then_refuse(std::move(stored), std::move(*failure));
}

void Upload::note_stored(std::string_view table, std::int32_t day) {
  MutexLock lock(mutex_);
  stored_.push_back({.items = identity_, .table = std::string(table), .day = day});
}

void Upload::note_stored_then_refuse(std::vector<StoredPart> stored, Error error) {
  const auto client = client_.lock();
  if (!client) return;  // The sink is gone; the delivery says so.
  client->insert(
      stored_parts_insert(tenant_, stored, deps_.clock.system_now(), deps_.policy),
      request_deadline(), [self = shared_from_this(), error = std::move(error)](Status noted) {
        if (noted.ok()) return self->check_schema_and_refuse(error);
        self->deps_.events->refused(kStoredPartsTable, noted.error());
        // The batch must not be cut while this is not written down: the same batch comes again.
        self->refuse(unavailable("Some of the batch is stored and the rest was refused (" +
                                 error.message +
                                 "); which part it is cannot be written "
                                 "down: " +
                                 noted.error().message)
                         .with_reason("clickhouse_part_stored"));
      });
}

// Names what has changed, where it is that.
void Upload::check_schema_and_refuse(Error error) {
  if (!concerns_tables(error)) return refuse(std::move(error));
  deps_.schema_fits->store(false, std::memory_order_release);
  check_schema_then([self = shared_from_this(), error = std::move(error)](Status schema) {
    self->refuse(schema.ok() ? error : std::move(schema).error());
  });
}

void Upload::refuse(Error error) {
  {
    MutexLock lock(mutex_);
    permit_.release();
  }
  delivery_->finish(std::move(error));
}

void Upload::acknowledge() {
  {
    MutexLock lock(mutex_);
    permit_.release();
  }
  delivery_->finish(std::move(outcome_));
}

Deadline Upload::request_deadline() const {
  return deadline_.less(deps_.deadline_margin)
      .earlier(Deadline::after(deps_.clock, deps_.insert_timeout));
}

}  // namespace spanway::sinks
