#include "services/lib/sinks/prometheus/protocol_choice.h"

#include <utility>

namespace spanway::sinks {

Error ProtocolChoice::refused(Protocol protocol, Error why) noexcept {
  if (is_fixed_) return why;
  constexpr unsigned kBoth = 3;
  const unsigned bit = protocol == Protocol::kV1 ? 1 : 2;
  const bool is_v1 = protocol == Protocol::kV1;
  // Unless another batch has changed it meanwhile.
  current_.compare_exchange_strong(protocol, is_v1 ? Protocol::kV2 : Protocol::kV1,
                                   std::memory_order_relaxed);
  if ((refused_.fetch_or(bit, std::memory_order_relaxed) | bit) == kBoth) return why;
  return transient_error(
             Code::kUnavailable,
             std::move(why.message) + "; sent again as remote write " + (is_v1 ? "2.0" : "1.0"))
      .with_reason("rw_protocol_changed");
}

}  // namespace spanway::sinks
