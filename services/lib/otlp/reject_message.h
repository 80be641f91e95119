// The text that a client receives about the items that a scan rejected. Internal to otlp.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

// Indices of an item in its request; the deeper ones may be absent.
struct ItemPlace {
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t resource = kNone, scope = kNone, item = kNone;
};

// The protobuf names of the fields: "resource_spans", "scope_spans".
const char* group_field(Signal signal) noexcept;
const char* scope_field(Signal signal) noexcept;

// "2 of 10 spans rejected: invalid_utf8 2; first at resource_spans[0].scope_spans[1].spans[3]
// (...)". `first`: of Index::first_reject.
std::string describe_rejects(const Index& index, const ItemPlace& first);

}  // namespace spanway::otlp
