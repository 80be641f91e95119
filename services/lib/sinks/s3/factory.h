// Creates the sink from its section of the configuration.
#pragma once

#include <memory>

#include "services/lib/objectstore/object_store.h"
#include "services/lib/sinks/destination.h"
#include "services/lib/sinks/factory.h"
#include "services/lib/sinks/s3/config.h"
#include "services/lib/sinks/s3/s3_sink.h"

namespace spanway::sinks {

// Does not wait for the destination.
SinkResult create_s3(const DestinationConfig& config, const DestinationDeps& deps);

S3SinkOptions s3_options(const S3Config& config);

// For readers of the bucket: an answer of at most `answer_bytes_max`. `io` and `clock` outlive it.
Result<std::unique_ptr<objectstore::S3Client>> create_s3_client(const S3Config& config,
                                                                std::size_t answer_bytes_max,
                                                                http::IoPool& io,
                                                                const Clock& clock);

// A store for compaction. `io` and `clock` outlive it.
Result<std::unique_ptr<objectstore::ObjectStore>> create_s3_store(const S3Config& config,
                                                                  http::IoPool& io,
                                                                  const Clock& clock);

}  // namespace spanway::sinks
