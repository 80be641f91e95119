// The bucket that queries read, and what reads it.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/objectstore/object_store.h"
#include "services/lib/parquet_file/codec.h"

namespace spanway::query {

struct Bucket {
  // For one query: its calls fail from the deadline on, and from the moment that a stop is
  // requested.
  std::function<std::unique_ptr<objectstore::ObjectStore>(Deadline, std::stop_token)> open;
  const parquet_file::Codec& codec;
  std::string prefix;    // All keys begin with it; as of the s3 destination.
  std::string endpoint;  // For /health and messages.
};

}  // namespace spanway::query
