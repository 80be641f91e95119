// Bounds how often one object is put back against another writer that changes it again and again.
#pragma once

#include <map>
#include <string>

#include "operator/k8s/resource.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::reconcile {

// A token bucket for each object: 10 repairs at once, then one every 10 s. Thread-safe. An object
// costs memory only while its bucket is not full.
class DriftLimiter {
 public:
  static constexpr int kAtOnce = 10;
  static constexpr Duration kEach = std::chrono::seconds(10);

  enum class Admission {
    kNow,
    kLater,           // Wait for due_in().
    kLaterFirstTime,  // The same, for the first time since the bucket was full.
  };
  // Takes a token when there is one.
  Admission admit(const kube::ObjectKey& pipeline, const std::string& object, SteadyTime now);
  // When the next repair of the Pipeline that has to wait is admitted; zero = none waits.
  Duration due_in(const kube::ObjectKey& pipeline, SteadyTime now);
  void forget(const kube::ObjectKey& pipeline);

 private:
  struct Bucket {
    kube::ObjectKey pipeline;
    // When it is full again; the tokens that lack are the time until then.
    SteadyTime full_at{};
    bool waits = false;
    bool is_known = false;  // kLaterFirstTime was returned.
  };

  Mutex mutex_;
  std::map<std::string, Bucket> buckets_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
