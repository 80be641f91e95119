#include "services/lib/sinks/s3/s3_sink.h"

#include <utility>

#include "services/lib/base/hex.h"
#include "services/lib/http/tls_reloader.h"
#include "services/lib/objectstore/sigv4.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/sinks/batch_converter.h"
#include "services/lib/sinks/s3/events.h"
#include "services/lib/sinks/s3/object_upload.h"
#include "services/lib/sinks/s3/stored_object.h"

namespace spanway::sinks {
namespace {

// The batch's id, or a hash of its bytes: a client that sends a batch again sends the same bytes.
std::string batch_of(const pipeline::Batch& batch) {
  if (!batch.metadata.batch_id.empty()) return batch.metadata.batch_id;
  return "x-" + to_hex(objectstore::view(objectstore::sha256(batch.payload.view()))).substr(0, 32);
}

}  // namespace

struct S3Sink::Shared {
  Shared(S3SinkOptions sink_options, const HttpSinkDeps& deps,
         const parquet_file::Codec& parquet_codec)
      : options(std::move(sink_options)), clock(deps.clock), codec(parquet_codec) {}

  Deadline put_deadline(const pipeline::Batch& batch) const {
    return batch.deadline.less(options.deadline_margin)
        .earlier(Deadline::after(clock, options.put_timeout));
  }

  const S3SinkOptions options;
  const Clock& clock;
  const parquet_file::Codec& codec;
  std::shared_ptr<SinkState> state;
  std::shared_ptr<const S3Events> events;
  std::shared_ptr<objectstore::S3Client> client;
  std::unique_ptr<http::TlsReloader> tls_reloader;
  BatchConverter converter;
};

S3Sink::S3Sink(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
S3Sink::~S3Sink() = default;

Result<std::unique_ptr<S3Sink>> S3Sink::create(S3SinkOptions options, const HttpSinkDeps& deps,
                                               const parquet_file::Codec& codec) {
  options.client.waiting_max = (otlp_blocks::Converter::kDaysMax + 1) * options.in_flight_max;
  options.credentials.region = options.client.region;
  auto shared = std::make_shared<Shared>(std::move(options), deps, codec);
  shared->state = std::make_shared<SinkState>(shared->options.in_flight_max, deps.clock);
  SPANWAY_ASSIGN(shared->client, objectstore::S3Client::create(
                                     shared->options.client,
                                     objectstore::CredentialsProvider::create(
                                         shared->options.credentials, deps.io, deps.clock),
                                     deps.io, deps.clock));
  shared->events = std::make_shared<const S3Events>(deps.telemetry, shared->client->endpoint());
  shared->tls_reloader = std::make_unique<http::TlsReloader>(
      [client = shared->client] { return client->reload_tls(); },
      [events = shared->events](const Result<bool>& read) { events->tls_read(read); },
      deps.io.executor(0), http::kClientTlsReloadInterval);
  return std::unique_ptr<S3Sink>(new S3Sink(std::move(shared)));
}

void S3Sink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), shared_->state);
  if (!delivery) return;
  const auto refuse = [&](Error error) {
    batch.permit.release();
    delivery->finish(std::move(error), /*from_destination=*/false);
  };
  const Deadline deadline = shared_->put_deadline(batch);
  if (deadline.passed(shared_->clock.now()))
    return refuse(deadline_passed(shared_->client->endpoint()));
  const ObjectIdentity identity{
      .prefix = shared_->options.prefix, .tenant = batch.metadata.tenant, .batch = batch_of(batch)};
  auto blocks = shared_->converter.convert(batch, nullptr);
  if (!blocks.ok()) return refuse(std::move(blocks).error());
  batch.payload = Bytes();
  batch.permit.shrink_to(blocks->memory_bytes());
  pipeline::Outcome outcome = outcome_of(*blocks);
  auto objects = encode_objects(shared_->codec, std::move(blocks).value(), identity, batch.permit);
  if (!objects.ok()) return refuse(std::move(objects).error());
  const ObjectUploadDeps upload{.clock = shared_->clock,
                                .client = shared_->client,
                                .events = shared_->events,
                                .prefix = shared_->options.prefix};
  std::make_shared<ObjectUpload>(upload, std::move(delivery), std::move(batch.permit),
                                 batch.metadata, deadline, std::move(outcome))
      ->start(std::move(objects).value());
}

bool S3Sink::drain(Deadline deadline) { return shared_->state->drain(deadline); }
pipeline::SinkHealth S3Sink::health() const { return shared_->state->health(); }

}  // namespace spanway::sinks
