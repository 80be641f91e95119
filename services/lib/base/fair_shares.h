// Slots shared among keys (tenants), some of which may never be answered: those must not take all.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"

namespace spanway {

// A slot is held from a request until its answer. A key answers if its last request was answered,
// until one is open for kSilentAfter without any answer of the key. The rules:
// - a key has at most as many slots as it leaves free;
// - keys that do not answer have at most half of all slots together, and the last quarter of that
//   half is for keys of which nothing is known yet: so one that answers always finds a slot, and a
//   new one is tried although others hang;
// - the empty key (telemetry without names) may have all that are free.
//
// Single-thread. Memory: a few words for each key that holds slots, and for kRememberedMax others.
class FairShares {
 public:
  static constexpr Duration kSilentAfter = std::chrono::seconds(1);
  static constexpr std::size_t kRememberedMax = 1024;

  explicit FairShares(std::size_t slots) : slots_(slots) {}

  bool has_room(std::string_view key, SteadyTime now) const;
  void take(std::string_view key, SteadyTime now);
  // `answered`: whatever the answer was; false = its time passed.
  void give_back(std::string_view key, bool answered, SteadyTime now);
  // The request was never sent.
  void give_back_unused(std::string_view key);
  std::size_t held() const noexcept { return held_; }

 private:
  enum class Known : unsigned char { kNothing, kAnswers, kSilent };
  struct State {
    Known known = Known::kNothing;
    std::size_t held = 0;
    SteadyTime since{};  // The last answer, or the first slot after a time without any.
  };
  static Known known(const State& state, SteadyTime now) noexcept;
  void forget_oldest();

  const std::size_t slots_;
  std::size_t held_ = 0;
  std::map<std::string, State, std::less<>> holders_;
  std::map<std::string, State, std::less<>> remembered_;  // They hold none.
};

}  // namespace spanway
