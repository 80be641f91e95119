// The functions that codec_loader.h looks up in the shared library; all else of it is hidden.
#include "services/lib/parquet_file/arrow/arrow_codec.h"

extern "C" {

__attribute__((visibility("default"))) const char* spanway_parquet_version() {
  return SPANWAY_VERSION;
}

__attribute__((visibility("default"))) const spanway::parquet_file::Codec* spanway_parquet_codec() {
  return &spanway::parquet_file::arrow_codec();
}

}  // extern "C"
