// A token bucket: how much of something a peer may do. For this module only.
#pragma once

#include <algorithm>

#include "services/lib/base/clock.h"

namespace spanway::http {

// Single-thread. Starts full.
class TokenBucket {
 public:
  TokenBucket(double burst, double per_second, SteadyTime now) noexcept
      : burst_(burst), per_second_(per_second), tokens_(burst), since_(now) {}

  // False when nothing is left. The clock is read only when the bucket runs low.
  bool try_take(SteadyTime now) noexcept {
    if (tokens_ < 1) refill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  void add_tokens(double tokens) noexcept { tokens_ = std::min(burst_, tokens_ + tokens); }

 private:
  void refill(SteadyTime now) noexcept {
    const std::chrono::duration<double> passed = now - since_;
    add_tokens(passed.count() * per_second_);
    since_ = now;
  }

  const double burst_;
  const double per_second_;
  double tokens_;
  SteadyTime since_;
};

}  // namespace spanway::http
