// Stores spans, log records and data points as Parquet files in S3: one object for each batch,
// table and day.
#pragma once

#include <memory>
#include <string>

#include "services/lib/objectstore/credentials.h"
#include "services/lib/objectstore/s3_client.h"
#include "services/lib/parquet_file/codec.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/http_poster.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {

struct S3SinkOptions {
  objectstore::S3Options client;
  objectstore::CredentialsOptions credentials;
  std::string prefix;
  Duration put_timeout = std::chrono::seconds(30);  // For one object.
  // Taken off the batch's deadline, so that the answer is in time one hop further up.
  Duration deadline_margin = std::chrono::milliseconds(200);
  std::size_t in_flight_max = 64;  // Batches; more are refused.
};

// Thread-safe. A batch is converted and encoded on the thread that sends it; it is acknowledged
// after the server has answered 200 for its last object. Keys follow from the batch's id and its
// bytes, so that a batch that is sent again after any failure overwrites its own objects with equal
// bytes (effectively once); a batch without an id is named by a hash of its bytes.
class S3Sink final : public pipeline::Sink {
 public:
  static Result<std::unique_ptr<S3Sink>> create(S3SinkOptions options, const HttpSinkDeps& deps,
                                                const parquet_file::Codec& codec);
  ~S3Sink() override;
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  struct Shared;
  explicit S3Sink(std::shared_ptr<Shared> shared);
  const std::shared_ptr<Shared> shared_;
};

}  // namespace spanway::sinks
