// A batch as the objects that are stored for it: one for each table and day of its rows. Internal
// to the sink and to compaction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/objectstore/object_key.h"
#include "services/lib/otlp_blocks/request_blocks.h"
#include "services/lib/parquet_file/codec.h"

namespace spanway::sinks {

struct StoredObject {
  std::string key;
  objectstore::StoredTable table = objectstore::StoredTable::kSpans;
  std::int32_t day = 0;  // Since 1970-01-01, of all its rows.
  std::size_t rows = 0;
  Bytes body;
};

struct ObjectIdentity {
  std::string_view prefix;
  std::string_view tenant;
  // The batch's id, or where it has none a hash of its bytes, so that a batch that a client sends
  // again overwrites itself, too.
  std::string batch;
};

// How the rows of a table are sorted, indexed and stored.
parquet_file::WriteOptions parquet_options(objectstore::StoredTable table);
// Texts in the footer: the schema's version, the tenant, the batch, and the services of spans and
// log records or the metrics of data points, where these are at most kFooterNamesMax.
inline constexpr std::size_t kFooterNamesMax = 256;
void add_footer_texts(objectstore::StoredTable table, const block::Block& rows,
                      std::string_view tenant, std::string_view batch,
                      parquet_file::WriteOptions& options);

// Encodes one block after the other and frees it, within `permit`, which covers the blocks.
Result<std::vector<StoredObject>> encode_objects(const parquet_file::Codec& codec,
                                                 otlp_blocks::RequestBlocks blocks,
                                                 const ObjectIdentity& identity, Permit& permit);

}  // namespace spanway::sinks
