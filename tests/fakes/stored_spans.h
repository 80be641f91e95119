// Spans in a bucket, as the s3 destination stores them.
#pragma once

#include <string>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/lib/objectstore/object_store.h"
#include "services/lib/objectstore/sigv4.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/parquet_file/arrow/arrow_codec.h"
#include "services/lib/sinks/s3/stored_object.h"

namespace spanway::fakes {

// Puts the objects of one batch, an ExportTraceServiceRequest.
inline Status put_spans(objectstore::ObjectStore& store, std::string_view prefix,
                        std::string_view tenant, const std::string& payload) {
  otlp_blocks::Converter converter;
  SPANWAY_ASSIGN(auto blocks,
                 converter.convert(otlp::Signal::kTraces, payload, {.tenant = tenant}));
  Permit permit;
  SPANWAY_ASSIGN(
      auto objects,
      sinks::encode_objects(parquet_file::arrow_codec(), std::move(blocks),
                            {.prefix = prefix,
                             .tenant = tenant,
                             .batch = to_hex(objectstore::view(objectstore::sha256(payload)))},
                            permit));
  for (sinks::StoredObject& object : objects)
    SPANWAY_TRY(store.put({.key = object.key, .body = std::move(object.body)}));
  return {};
}

}  // namespace spanway::fakes
