#include "services/lib/base/clock.h"

namespace spanway {
namespace {

class MachineClock final : public Clock {
 public:
  SteadyTime now() const noexcept override { return std::chrono::steady_clock::now(); }
  SystemTime system_now() const noexcept override { return std::chrono::system_clock::now(); }
};

}  // namespace

const Clock& system_clock() noexcept {
  static const MachineClock clock;
  return clock;
}

}  // namespace spanway
