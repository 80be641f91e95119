// The store that the query service of a Pipeline reads.
#pragma once

#include "operator/api/pipeline.h"

namespace spanway::render {

// spec.query.stores.clickhouse of a Pipeline that has it, with what its exporter decides filled in:
// endpoint, database, TLS, and the user where none is named.
api::ClickHouseStore store_of(const api::Pipeline& pipeline);

}  // namespace spanway::render
