// Stored spans back to OTLP protobuf.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/otlp/reader.h"

namespace spanway::otlp_blocks {

// The resource of an id; null when it is not known: the spans then have a resource of their
// service's name alone.
using FindResource = std::function<const otlp::ResourceView*(std::uint64_t id)>;

// Appends the spans of a block as the ResourceSpans of an ExportTraceServiceRequest: grouped by
// resource and scope, in each group by their start. What the tables do not hold is missing: the
// order of attributes, the schema URLs and dropped counts of scopes, dropped counts of resources.
// INTERNAL, data, "stored_value_unreadable" for rows that no converter of ours has written.
Status append_spans(const block::Block& spans, const FindResource& find_resource, Bytes& out);
// The same of the rows [begin, end).
Status append_spans(const block::Block& spans, std::size_t begin, std::size_t end,
                    const FindResource& find_resource, Bytes& out);

}  // namespace spanway::otlp_blocks
