#include "services/query/api/jaeger/jaeger_tags.h"

#include <cmath>
#include <map>

#include "services/lib/base/base64.h"

namespace spanway::query::jaeger {
namespace {

using otlp::ValueKind;
using otlp::ValueView;

constexpr std::int64_t kSafeIntegerMax = (std::int64_t{1} << 53) - 1;

void append_value(const ValueView& value, JsonWriter& json) {
  switch (value.kind) {
    case ValueKind::kString:
      json.value(value.text);
      return;
    case ValueKind::kBool:
      json.value(value.boolean);
      return;
    case ValueKind::kInt:
      json.value(value.integer);
      return;
    case ValueKind::kDouble:
      json.value(value.number);
      return;
    case ValueKind::kBytes:
      json.value(encode_base64(value.text));
      return;
    case ValueKind::kArray: {
      json.begin_array();
      otlp::ArrayReader array(value.text);
      while (const auto element = array.next()) append_value(*element, json);
      json.end_array();
      return;
    }
    case ValueKind::kKvlist: {
      // By key, as Go writes its maps.
      std::map<std::string_view, ValueView> sorted;
      otlp::KvlistReader list(value.text);
      while (const auto entry = list.next()) sorted.insert_or_assign(entry->key, entry->value);
      json.begin_object();
      for (const auto& [key, entry] : sorted) {
        json.key(key);
        append_value(entry, json);
      }
      json.end_object();
      return;
    }
    case ValueKind::kEmpty:
      json.null();
  }
}

std::string_view type_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kInt:
      return "int64";
    case ValueKind::kDouble:
      return "float64";
    case ValueKind::kBytes:
      return "binary";
    default:
      return "string";
  }
}

}  // namespace

void append_tag(std::string_view key, const ValueView& value, JsonWriter& json) {
  json.begin_object().member("key", key).member("type", type_of(value.kind)).key("value");
  switch (value.kind) {
    case ValueKind::kEmpty:
      json.value("");
      break;
    case ValueKind::kArray:
    case ValueKind::kKvlist: {
      std::string text;
      JsonWriter nested(text);
      append_value(value, nested);
      json.value(text);
      break;
    }
    case ValueKind::kInt:
      if (value.integer > kSafeIntegerMax || value.integer < -kSafeIntegerMax) {
        json.value(std::to_string(value.integer));
        break;
      }
      [[fallthrough]];
    default:
      append_value(value, json);
  }
  json.end_object();
}

void append_tag(std::string_view key, std::string_view text, JsonWriter& json) {
  json.begin_object().member("key", key).member("type", "string").member("value", text);
  json.end_object();
}

}  // namespace spanway::query::jaeger
