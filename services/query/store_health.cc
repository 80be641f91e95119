#include "services/query/store_health.h"

#include <string_view>

namespace spanway::query {
namespace {

// The query has ended before the store could fail: its client has gone, its request was wrong, this
// process had no memory for it, or no store is configured for its signal.
bool says_nothing(const Error& error) noexcept {
  return error.code == Code::kCancelled || error.code == Code::kUnimplemented ||
         error.reason == std::string_view("no_memory") ||
         (error.code == Code::kInvalidArgument && error.refusal == Refusal::kData);
}

// The store has failed, or refuses our user or our schema. Other errors are answers of it.
bool is_of_store(const Error& error) noexcept {
  return error.refusal != Refusal::kData || error.code == Code::kInternal;
}

}  // namespace

void StoreHealth::query_ended(const Status& result) {
  MutexLock lock(mutex_);
  state_.last_query = clock_.system_now();
  ended(result);
}

void StoreHealth::probe_ended(const Status& result) {
  MutexLock lock(mutex_);
  ended(result);
}

void StoreHealth::ended(const Status& result) {
  if (!result.ok() && says_nothing(result.error())) return;
  last_end_ = clock_.now();
  const std::optional<bool> before = state_.reachable;
  state_.reachable = result.ok() || !is_of_store(result.error());
  if (!*state_.reachable) {
    state_.last_error = result.error().message;
    state_.last_error_reason = result.error().reason;
    state_.last_error_time = clock_.system_now();
  }
  if (changed_ && before != state_.reachable) changed_(state_);
}

StoreHealth::Snapshot StoreHealth::snapshot() const {
  MutexLock lock(mutex_);
  return state_;
}

bool StoreHealth::is_idle_for(Duration time) const {
  MutexLock lock(mutex_);
  return !last_end_ || clock_.now() - *last_end_ >= time;
}

}  // namespace spanway::query
