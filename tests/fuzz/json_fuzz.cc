// OTLP/JSON in both directions from arbitrary bytes: never a crash, never more output than allowed,
// nothing accepted that simdjson calls malformed, and what was read comes back as it was.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/utf8_run.h"

namespace {

using spanway::Bytes;
using spanway::Result;
using spanway::otlp::json_to_protobuf;
using spanway::otlp::JsonLimits;
using spanway::otlp::protobuf_to_json;
using spanway::otlp::Scanner;
using spanway::otlp::Signal;

constexpr std::size_t kOutputBytesMax = 1u << 20;

void check_grammar(std::string_view text) {
  static simdjson::dom::parser reference;
  const simdjson::error_code expected = reference.parse(text.data(), text.size()).error();
  // Numbers that no 64-bit type holds are well-formed, and may be in fields that are not read;
  // half a surrogate pair is well-formed, too, but simdjson refuses it, and nesting beyond 1024.
  const bool has_surrogate =
      text.find("\\ud") != std::string_view::npos || text.find("\\uD") != std::string_view::npos;
  SPANWAY_CHECK(expected == simdjson::SUCCESS || expected == simdjson::NUMBER_ERROR ||
                expected == simdjson::DEPTH_ERROR ||
                (expected == simdjson::STRING_ERROR && has_surrogate));
}

// The result of the scan must not depend on the encoding of the request.
std::uint64_t accepted(Signal signal, std::string_view bytes, bool& scanned) {
  Scanner scanner;
  scanned = scanner.scan(signal, bytes).ok();
  return scanned ? scanner.index().accepted : 0;
}

// Bytes to text, and text to bytes, until nothing changes any more.
void check_round(Signal signal, std::string_view bytes) {
  const Result<std::string> json = protobuf_to_json(signal, bytes, kOutputBytesMax);
  if (!json.ok()) return;
  SPANWAY_CHECK(json->size() <= kOutputBytesMax);
  check_grammar(*json);
  const Result<Bytes> canonical = json_to_protobuf(signal, *json);
  SPANWAY_CHECK(canonical.ok());
  const Result<std::string> again = protobuf_to_json(signal, canonical->view());
  SPANWAY_CHECK(again.ok() && *again == *json);
  // Strict where a known field has another wire type, or a rejected item, so only one direction.
  bool scanned = false;
  const std::uint64_t before = accepted(signal, bytes, scanned);
  if (!scanned) return;
  const std::uint64_t after = accepted(signal, canonical->view(), scanned);
  SPANWAY_CHECK(scanned && after >= before);
}

}  // namespace

// The first byte chooses the signal (two bits) and whether text or bytes follow (one bit).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto signal = static_cast<Signal>((data[0] & 3) % 3);
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 4) != 0) {
    check_round(signal, input);
    return 0;
  }
  const Result<Bytes> bytes =
      json_to_protobuf(signal, input, JsonLimits{.output_bytes_max = kOutputBytesMax});
  if (!bytes.ok()) return 0;
  SPANWAY_CHECK(bytes->size() <= kOutputBytesMax);
  if (spanway::otlp::is_utf8(input)) check_grammar(input);
  // A heap copy of exactly the right size: reads behind it are seen.
  const std::vector<char> copy(bytes->view().begin(), bytes->view().end());
  check_round(signal, {copy.data(), copy.size()});
  return 0;
}
