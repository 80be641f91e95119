// A span and a process as Jaeger's v1 JSON. Internal to query/api/jaeger.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/span_reader.h"

namespace spanway::query::jaeger {

// Appends one object. `process` is the key of the span's process ("p1").
void append_span(const otlp_blocks::StoredSpan& stored, std::string_view process, std::string& out);

// Appends one object: the service's name and the other attributes of the resource, which may be
// null. `service_name` is used where the resource has none.
void append_process(const otlp::ResourceView* resource, std::string_view service_name,
                    std::string& out);

}  // namespace spanway::query::jaeger
