#include "services/query/store_health.h"

namespace spanway::query {
namespace {

// The store has failed, or refuses our user or our schema.
bool is_of_store(const Error& error) noexcept {
  if (error.code == Code::kCancelled) return false;
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
  last_end_ = clock_.now();
  if (!result.ok() && result.error().code == Code::kCancelled) return;
  // An error of the client may have been found before any request to the store.
  if (!result.ok() && result.error().code == Code::kInvalidArgument &&
      result.error().refusal == Refusal::kData)
    return;
  state_.reachable = result.ok() || !is_of_store(result.error());
  if (*state_.reachable) return;
  state_.last_error = result.error().message;
  state_.last_error_reason = result.error().reason;
  state_.last_error_time = clock_.system_now();
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
