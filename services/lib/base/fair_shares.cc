#include "services/lib/base/fair_shares.h"

#include <algorithm>

namespace spanway {

FairShares::Known FairShares::known(const State& state, SteadyTime now) noexcept {
  if (state.held > 0 && now - state.since >= kSilentAfter) return Known::kSilent;
  return state.known;
}

bool FairShares::has_room(std::string_view key, SteadyTime now) const {
  if (held_ >= slots_) return false;
  if (key.empty()) return true;
  State state;
  if (const auto holder = holders_.find(key); holder != holders_.end()) {
    state = holder->second;
  } else if (const auto other = remembered_.find(key); other != remembered_.end()) {
    state = other->second;
  }
  const Known own = known(state, now);
  if (own == Known::kAnswers) return state.held < slots_ - held_;
  std::size_t silent = 0;
  for (const auto& [name, holder] : holders_) {
    if (!name.empty() && known(holder, now) != Known::kAnswers) silent += holder.held;
  }
  const std::size_t half = std::max<std::size_t>(1, slots_ / 2);
  const std::size_t limit = own == Known::kNothing ? half : half - half / 4;
  return silent < limit && state.held < limit - silent;
}

void FairShares::take(std::string_view key, SteadyTime now) {
  ++held_;
  auto holder = holders_.find(key);
  if (holder == holders_.end()) {
    State state;
    if (const auto other = remembered_.find(key); other != remembered_.end()) {
      state = other->second;
      remembered_.erase(other);
    }
    state.since = now;
    holder = holders_.emplace(key, state).first;
  }
  ++holder->second.held;
}

void FairShares::give_back(std::string_view key, bool answered, SteadyTime now) {
  const auto holder = holders_.find(key);
  if (holder == holders_.end()) return;
  State& state = holder->second;
  state.known = answered ? Known::kAnswers : Known::kSilent;
  if (answered) state.since = now;
  give_back_unused(key);
}

void FairShares::give_back_unused(std::string_view key) {
  const auto holder = holders_.find(key);
  if (holder == holders_.end()) return;
  --held_;
  if (--holder->second.held > 0) return;
  if (!key.empty() && holder->second.known != Known::kNothing) {
    if (remembered_.size() >= kRememberedMax) forget_oldest();
    remembered_.insert_or_assign(holder->first, holder->second);
  }
  holders_.erase(holder);
}

void FairShares::forget_oldest() {
  remembered_.erase(std::min_element(
      remembered_.begin(), remembered_.end(),
      [](const auto& a, const auto& b) { return a.second.since < b.second.since; }));
}

}  // namespace spanway
