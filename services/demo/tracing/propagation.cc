#include "services/demo/tracing/propagation.h"

#include <algorithm>

#include "services/lib/base/hex.h"

namespace spanway::demo {
namespace {

constexpr std::size_t kTraceParentBytes = 55;  // Version 00; a later one may be longer.
constexpr std::size_t kTraceStateBytesMax = 512;

// Lower case only, as the specification demands.
bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return kHexDigits.find(c) != std::string_view::npos; });
}

// False when all bytes are 0, which means "none".
template <std::size_t N>
bool read_id(std::string_view digits, std::array<char, N>& bytes) {
  for (std::size_t i = 0; i < N; ++i)
    bytes[i] = static_cast<char>(hex_value(digits[2 * i]) * 16 + hex_value(digits[2 * i + 1]));
  return bytes != std::array<char, N>{};
}

}  // namespace

std::string hex(const testapp::TraceId& id) {
  return to_hex(std::string_view(id.bytes.data(), id.bytes.size()));
}

std::string hex(const testapp::SpanId& id) {
  return to_hex(std::string_view(id.bytes.data(), id.bytes.size()));
}

void inject(const SpanContext& context, std::vector<std::pair<std::string, std::string>>& headers) {
  headers.emplace_back("traceparent", "00-" + hex(context.trace_id) + "-" + hex(context.span_id) +
                                          (context.sampled ? "-01" : "-00"));
  if (!context.trace_state.empty()) headers.emplace_back("tracestate", context.trace_state);
}

// version "-" trace-id "-" parent-id "-" flags
std::optional<SpanContext> extract(const HeaderOf& header) {
  const std::string_view text = header("traceparent");
  if (text.size() < kTraceParentBytes) return std::nullopt;
  const std::string_view version = text.substr(0, 2), trace = text.substr(3, 32),
                         parent = text.substr(36, 16), flags = text.substr(53, 2);
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  if (!is_hex(version) || !is_hex(trace) || !is_hex(parent) || !is_hex(flags)) return std::nullopt;
  if (version == "ff") return std::nullopt;
  const bool ends = text.size() == kTraceParentBytes;
  if (!ends && (version == "00" || text[kTraceParentBytes] != '-')) return std::nullopt;
  SpanContext context;
  if (!read_id(trace, context.trace_id.bytes) || !read_id(parent, context.span_id.bytes))
    return std::nullopt;
  context.sampled = (hex_value(flags[1]) & 1) != 0;
  const std::string_view state = header("tracestate");
  if (state.size() <= kTraceStateBytesMax) context.trace_state = state;
  return context;
}

}  // namespace spanway::demo
