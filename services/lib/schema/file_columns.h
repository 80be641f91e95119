// Columns that a Parquet file of telemetry has besides those of its table, so that it needs no
// other file to be understood.
#pragma once

namespace spanway::schema {

// LowCardinality(String) both. The attributes of a row's resource are one JSON object in the form
// of otlp/value_json.h; "" without attributes.
inline constexpr const char* kResourceAttributesColumn = "resource_attributes";
inline constexpr const char* kResourceSchemaColumn = "resource_schema_url";

}  // namespace spanway::schema
