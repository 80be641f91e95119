// OTLP attributes as tags of Jaeger's v1 JSON. Internal to query/api/jaeger.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/json_writer.h"
#include "services/lib/otlp/reader.h"

namespace spanway::query::jaeger {

// {"key":..,"type":"string|bool|int64|float64|binary","value":..}. Arrays and lists become JSON
// texts; integers that JavaScript cannot hold become texts, too.
void append_tag(std::string_view key, const otlp::ValueView& value, JsonWriter& json);
void append_tag(std::string_view key, std::string_view text, JsonWriter& json);

}  // namespace spanway::query::jaeger
