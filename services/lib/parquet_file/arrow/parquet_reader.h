// A Parquet file as blocks, of the requested columns. Internal to parquet_arrow.
#pragma once

#include <memory>

#include "services/lib/base/result.h"
#include "services/lib/parquet_file/codec.h"

namespace spanway::parquet_file {

// See File.
Result<std::unique_ptr<File>> open_parquet(std::shared_ptr<ByteSource> source);

}  // namespace spanway::parquet_file
