// Loads the shared library that reads and writes Parquet files.
#pragma once

#include <string>

#include "services/lib/base/result.h"
#include "services/lib/parquet_file/codec.h"

namespace spanway::parquet_file {

// Beside the program in ../lib, or in a folder of the system's loader.
inline constexpr const char* kLibrary = "libspanway_parquet.so";

// Its two functions: the version, which must be the program's, and the codec.
inline constexpr const char* kVersionSymbol = "spanway_parquet_version";
inline constexpr const char* kCodecSymbol = "spanway_parquet_codec";

// Maps the library and what it needs (Arrow: 30 MiB of resident memory) into the process, for the
// rest of its life; a second call costs nothing. Thread-safe; reads files. FAILED_PRECONDITION,
// configuration, "parquet_library" when it is missing or belongs to another version of Spanway.
Result<const Codec*> load_codec(const std::string& library = kLibrary);

}  // namespace spanway::parquet_file
