// The OTLP/JSON names of the fields of the protobuf messages, as constant tables. Both directions
// of json.h are driven by them; a test compares them with the descriptors of proto/. Beyond those
// they have the deprecated field 1000 of the resources, so that the scan can count their items.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

// Named as the types in .proto files, but for kId (bytes that are hex in JSON, not base64).
enum class JsonKind : unsigned char {
  kBool,
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kSint32,
  kEnum,
  kFixed32,
  kFixed64,
  kSfixed64,
  kDouble,
  kString,
  kBytes,
  kId,
  kMessage,
};

struct JsonMessage;

struct JsonField {
  std::string_view name;
  std::uint32_t number = 0;
  JsonKind kind = JsonKind::kString;
  bool repeated = false;
  // Has presence (set differs from zero): members of a oneof, and `optional`.
  bool presence = false;
  // In the message's only oneof: the member that comes last wins.
  bool oneof = false;
  const JsonMessage* message = nullptr;  // The type of a kMessage.
};

// The role of a message in the request.
enum class JsonRole : unsigned char {
  kPart,
  kRequest,
  kGroup,  // ResourceSpans, ScopeSpans and their like.
  kItem,
};

struct JsonMessage {
  std::string_view name;
  // In the order of their numbers, the order in which protobuf writes them.
  std::span<const JsonField> fields;
  // How many bytes the length of such a message usually takes; a wrong guess costs a move.
  unsigned length_bytes = 1;
  JsonRole role = JsonRole::kPart;
};

// More fields than any message of OTLP has.
inline constexpr std::size_t kJsonFieldsMax = 20;

// 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes.
constexpr unsigned wire_type_of(JsonKind kind) noexcept {
  if (kind <= JsonKind::kEnum) return 0;
  if (kind == JsonKind::kFixed32) return 5;
  return kind <= JsonKind::kDouble ? 1 : 2;
}

// The Export*ServiceRequest of a signal. Immutable, static.
const JsonMessage& json_request(Signal signal) noexcept;

}  // namespace spanway::otlp
