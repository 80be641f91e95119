// Which Pipelines name which topics of which brokers: two that share a topic by accident deliver
// each other's data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "operator/k8s/resource.h"
#include "operator/reconcile/stores.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::reconcile {

// Brokers are the same when one of their addresses is; names of Services are compared whatever part
// of ".<namespace>.svc.cluster.local" is written. Thread-safe. A few hundred bytes for each
// Pipeline of the watched namespaces.
class TopicClaims {
 public:
  explicit TopicClaims(const Stores& stores) : stores_(stores) {}

  struct Sharing {
    // An earlier Pipeline that names a topic of this one, unless both set kafka.topics.shared.
    std::optional<kube::ObjectKey> taken_by;
    std::string taken_topic;
    // Those that share a topic with this one by kafka.topics.shared, and their longest retentions.
    std::vector<kube::ObjectKey> with;
    Duration retention{};
    Duration dead_letter_retention{};
  };
  // For a Pipeline as it is in the stores. `changed` gets the others whose Sharing may be another
  // one now.
  Sharing sharing_of(const kube::ObjectKey& pipeline, std::set<kube::ObjectKey>& changed);
  // It is gone; those that shared topics with it.
  std::set<kube::ObjectKey> forget(const kube::ObjectKey& pipeline);

 private:
  struct Claim {
    std::uint64_t made = 0;  // kube::Store::State::content of what it was read from.
    std::string created;
    std::set<std::string> places;  // "<broker> <topic>"
    bool shared = false;
    Duration retention{};
    Duration dead_letter_retention{};
    bool is_before(const Claim& other, const kube::ObjectKey& own_key,
                   const kube::ObjectKey& other_key) const;
  };
  static Claim read(const Json& pipeline, std::uint64_t made);
  void refresh(std::set<kube::ObjectKey>& changed) SPANWAY_REQUIRES(mutex_);
  void take_out(const kube::ObjectKey& pipeline, std::set<kube::ObjectKey>& changed)
      SPANWAY_REQUIRES(mutex_);
  void add_overlapping(const kube::ObjectKey& pipeline, const Claim& claim,
                       std::set<kube::ObjectKey>& out) const SPANWAY_REQUIRES(mutex_);

  const Stores& stores_;
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Claim> claims_ SPANWAY_GUARDED_BY(mutex_);
  std::map<std::string, std::set<kube::ObjectKey>> by_place_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
