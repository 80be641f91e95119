// The codec on Arrow.
#pragma once

#include "services/lib/parquet_file/codec.h"

namespace spanway::parquet_file {

const Codec& arrow_codec() noexcept;

}  // namespace spanway::parquet_file
