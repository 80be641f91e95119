// Rows as a Parquet file in memory. Internal to parquet_arrow.
#pragma once

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/parquet_file/codec.h"

namespace spanway::parquet_file {

// See Codec::encode.
Result<Bytes> encode_parquet(block::Block rows, const WriteOptions& options);

}  // namespace spanway::parquet_file
