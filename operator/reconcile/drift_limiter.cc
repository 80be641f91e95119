#include "operator/reconcile/drift_limiter.h"

#include <algorithm>

namespace spanway::reconcile {

DriftLimiter::Admission DriftLimiter::admit(const kube::ObjectKey& pipeline,
                                            const std::string& object, SteadyTime now) {
  MutexLock lock(mutex_);
  std::erase_if(buckets_, [now](const auto& entry) { return entry.second.full_at <= now; });
  Bucket& bucket = buckets_[object];
  bucket.pipeline = pipeline;
  const SteadyTime full_at = std::max(bucket.full_at, now) + kEach;
  if (full_at - now <= kAtOnce * kEach) {
    bucket.full_at = full_at;
    bucket.waits = false;
    return Admission::kNow;
  }
  bucket.waits = true;
  const bool was_known = bucket.is_known;
  bucket.is_known = true;
  return was_known ? Admission::kLater : Admission::kLaterFirstTime;
}

Duration DriftLimiter::due_in(const kube::ObjectKey& pipeline, SteadyTime now) {
  MutexLock lock(mutex_);
  Duration due = Duration::zero();
  for (const auto& [object, bucket] : buckets_) {
    if (!bucket.waits || bucket.pipeline != pipeline) continue;
    const Duration wait =
        std::max<Duration>(std::chrono::seconds(1), bucket.full_at + kEach - kAtOnce * kEach - now);
    due = due == Duration::zero() ? wait : std::min(due, wait);
  }
  return due;
}

void DriftLimiter::forget(const kube::ObjectKey& pipeline) {
  MutexLock lock(mutex_);
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.pipeline == pipeline; });
}

}  // namespace spanway::reconcile
