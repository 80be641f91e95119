// Exponential back-off with jitter.
#pragma once

#include <algorithm>

#include "services/lib/base/clock.h"
#include "services/lib/base/random.h"

namespace spanway {

struct BackoffOptions {
  Duration initial = std::chrono::milliseconds(100);
  Duration max = std::chrono::seconds(30);
  double multiplier = 2.0;
  // The wait is drawn from [1 - jitter, 1] times the step.
  double jitter = 0.5;
};

// External lock.
class Backoff {
 public:
  Backoff(BackoffOptions options, Random random) noexcept
      : options_(options), random_(random), step_(options.initial) {}

  // The wait before the next try; each call lengthens the following one.
  Duration next() noexcept {
    const double factor = 1.0 - options_.jitter * random_.next_unit();
    const auto wait =
        Duration(static_cast<Duration::rep>(static_cast<double>(step_.count()) * factor));
    step_ = std::min(options_.max, Duration(static_cast<Duration::rep>(
                                       static_cast<double>(step_.count()) * options_.multiplier)));
    ++attempts_;
    return wait;
  }
  void reset() noexcept {
    step_ = options_.initial;
    attempts_ = 0;
  }
  int attempts() const noexcept { return attempts_; }

 private:
  BackoffOptions options_;
  Random random_;
  Duration step_;
  int attempts_ = 0;
};

}  // namespace spanway
