// The version of remote write that the receiver takes, as its answers show.
#pragma once

#include <atomic>
#include <optional>

#include "services/lib/base/result.h"
#include "services/lib/prometheus_write/write_requests.h"

namespace spanway::sinks {

// Thread-safe. Begins with 2.0; changes to the other version when a receiver has not the current
// one, and back. A fixed choice never changes.
class ProtocolChoice {
 public:
  using Protocol = prometheus_write::Protocol;

  explicit ProtocolChoice(std::optional<Protocol> fixed)
      : is_fixed_(fixed.has_value()), current_(fixed.value_or(Protocol::kV2)) {}
  Protocol current() const noexcept { return current_.load(std::memory_order_relaxed); }
  void accepted() noexcept { refused_.store(0, std::memory_order_relaxed); }
  // The receiver has not `protocol`; `why` is its answer, configuration. The error of the batch:
  // transient, since the next attempt is made with the other version; `why` when the choice is
  // fixed, or both versions were refused since the last acceptance.
  Error refused(Protocol protocol, Error why) noexcept;

 private:
  const bool is_fixed_;
  std::atomic<Protocol> current_;
  std::atomic<unsigned> refused_{0};  // A bit for each version.
};

}  // namespace spanway::sinks
