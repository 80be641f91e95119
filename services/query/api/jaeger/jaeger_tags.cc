#include "services/query/api/jaeger/jaeger_tags.h"

#include "services/lib/base/base64.h"
#include "services/lib/otlp/value_json.h"

namespace spanway::query::jaeger {
namespace {

using otlp::ValueKind;
using otlp::ValueView;

constexpr std::int64_t kSafeIntegerMax = (std::int64_t{1} << 53) - 1;

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
    case ValueKind::kString:
      json.value(value.text);
      break;
    case ValueKind::kBool:
      json.value(value.boolean);
      break;
    case ValueKind::kInt:
      if (value.integer > kSafeIntegerMax || value.integer < -kSafeIntegerMax) {
        json.value(std::to_string(value.integer));
      } else {
        json.value(value.integer);
      }
      break;
    case ValueKind::kDouble:
      json.value(value.number);
      break;
    case ValueKind::kBytes:
      json.value(encode_base64(value.text));
      break;
    case ValueKind::kArray:
    case ValueKind::kKvlist: {
      std::string text;
      otlp::append_plain_text(value, text, {.escapes_as_go = true, .keeps_faulty = true});
      json.value(text);
      break;
    }
  }
  json.end_object();
}

void append_tag(std::string_view key, std::string_view text, JsonWriter& json) {
  json.begin_object().member("key", key).member("type", "string").member("value", text);
  json.end_object();
}

}  // namespace spanway::query::jaeger
