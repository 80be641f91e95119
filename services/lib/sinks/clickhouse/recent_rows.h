// The dictionary rows that this process has written lately.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_set>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/otlp_blocks/request_blocks.h"

namespace spanway::sinks {

// Thread-safe. An entry is kept for at least half of `kKeep` and at most all of it, unless more
// than kRowsMax come: then the older half of them is forgotten, which costs repeated rows and
// nothing else.
class RecentRows final : public otlp_blocks::KnownRows {
 public:
  static constexpr Duration kKeep = std::chrono::hours(1);
  static constexpr std::size_t kRowsMax = 1u << 17;

  explicit RecentRows(const Clock& clock) : clock_(clock), started_(clock.now()) {}
  bool contains(std::uint64_t identity) const override;
  // After the server has taken them.
  void add(std::span<const std::uint64_t> identities);

 private:
  void rotate_if_due() const SPANWAY_REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  mutable SteadyTime started_ SPANWAY_GUARDED_BY(mutex_);  // Start of the newer half.
  mutable std::unordered_set<std::uint64_t> newer_ SPANWAY_GUARDED_BY(mutex_);
  mutable std::unordered_set<std::uint64_t> older_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::sinks
