// Requests that Loki has stored while others of their batch were refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::sinks {

// Thread-safe. A batch of many streams comes again as a whole when one of them is refused, or when
// the time was too short for all: without this, a slow Loki gets the same first requests again and
// again. To leave a request out is right as long as its records have times, since Loki shows one of
// equal entries. Keeps kKeysMax to 2 * kKeysMax of the newest requests, for kKept to 2 * kKept.
class StoredRequests {
 public:
  static constexpr std::size_t kKeysMax = 16'384;
  static constexpr Duration kKept = std::chrono::minutes(5);

  explicit StoredRequests(const Clock& clock) : clock_(clock), since_(clock.now()) {}
  // `body` is a request before its compression.
  static std::uint64_t key_of(std::string_view tenant, std::string_view body) noexcept;
  bool contains(std::uint64_t key) const;
  void add(const std::vector<std::uint64_t>& keys);

 private:
  using Keys = std::unordered_set<std::uint64_t>;

  const Clock& clock_;
  mutable Mutex mutex_;
  SteadyTime since_ SPANWAY_GUARDED_BY(mutex_);  // The begin of `newer_`.
  Keys newer_ SPANWAY_GUARDED_BY(mutex_), older_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::sinks
