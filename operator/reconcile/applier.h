// Makes the cluster hold what a Pipeline wants, with as few writes as possible: none when the live
// object matches the intent and was applied from it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/k8s/kube_client.h"
#include "operator/reconcile/drift_limiter.h"
#include "operator/reconcile/events.h"
#include "operator/reconcile/mutation_cache.h"
#include "operator/reconcile/stores.h"
#include "operator/render/render.h"
#include "services/lib/base/mutex.h"

namespace spanway::reconcile {

inline constexpr char kFieldManager[] = "spanway-operator";
// Holds spec.replicas between us and an autoscaler: a field that its only owner gives up would fall
// back to 1.
inline constexpr char kHandoverManager[] = "spanway-replicas-handover";

// A little less than a resync, so that each of these applies once again what is not kept.
inline constexpr Duration kNotKeptFor = std::chrono::minutes(9);

// Thread-safe, but one Pipeline's objects are worked on by one thread at a time. What is given
// outlives it. Errors are those of kube::Client; an object of another owner is FAILED_PRECONDITION
// (configuration) and never touched. One with our labels and no owner is adopted.
class Applier {
 public:
  Applier(kube::Client& client, const Stores& stores, MutationCache& mutations,
          const Events& events, const Clock& clock);

  // True when something was written, or has to be after repair_due_in(): what another client
  // changes again and again is put back ever more seldom (drift_limiter.h). `pipeline` is the live
  // Pipeline, for its uid and for Events.
  Result<bool> apply(const Json& pipeline, const render::Manifest& manifest);
  // When a repair that had to wait is due; zero = none.
  Duration repair_due_in(const kube::ObjectKey& pipeline);
  // Deletes an object of the Pipeline that it no longer wants.
  Status remove(const Json& pipeline, const kube::ResourceType& type, const Json& live);
  // The newest known state of an object; of all objects of a kind that a Pipeline owns.
  std::optional<Json> live(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  std::vector<Json> live_of(const kube::ResourceType& type, const kube::ObjectKey& pipeline) const;
  // The resourceVersion of live(), without reading it; "" when there is no object.
  std::string version(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  // For MutationCache: what the store shows of it.
  MutationCache::Stored stored(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  // Equal while nothing that apply() compares has changed in the object; nothing while that is not
  // known for sure. While it is equal, an apply() of the same manifest that wrote nothing would
  // write nothing again.
  std::optional<std::uint64_t> content_hash(const kube::ResourceType& type,
                                            const kube::ObjectKey& key) const;
  // Forgets what was learned about objects of a Pipeline that is gone.
  void forget(const kube::ObjectKey& pipeline);

 private:
  // Fields of this intent that the server (a webhook) changes at once, with what it makes of them:
  // applying them again is pointless while they have that value. Other fields are not concerned.
  // After kNotKeptFor they are applied again: the webhook may be gone, or answer something else.
  struct NotKept {
    struct Value {
      std::uint64_t live = 0;  // Hash of what the server has answered.
      int changes = 0;         // How often that was another one; above kChangesMax any is taken.
    };
    kube::ObjectKey pipeline;
    std::string intent;
    std::map<std::string, Value> fields;
    SteadyTime applied_at{};
  };
  // Differences between an object and an intent.
  struct Drift {
    std::vector<kube::Difference> fields;
    std::vector<std::string> foreign;  // foreign_fields().
    bool empty() const { return fields.empty() && foreign.empty(); }
  };

  std::optional<Json> newest(const kube::ResourceType& type, const kube::ObjectKey& key,
                             const std::string& store_version, std::optional<Json> object) const;
  Status check_owner(const Json& pipeline, const render::Manifest& manifest,
                     const Json& live) const;
  Result<std::optional<Json>> read_live(const Json& pipeline, const render::Manifest& manifest);
  Status hand_over_replicas(const render::Manifest& manifest);
  bool is_recheck_due(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  // Without what is known not to be kept.
  Drift drift_of(const render::Manifest& manifest, const std::string& intent, const Json& live,
                 const Json& desired) const;
  // False when the repair has to wait.
  bool may_repair(const Json& pipeline, const render::Manifest& manifest);
  Status report_drift(const Json& pipeline, const render::Manifest& manifest, const Drift& drift);
  // Removes what other managers have added to fields that are owned completely. The new live
  // object; nothing when the object is gone.
  Result<std::optional<Json>> take_out_foreign(const Json& pipeline,
                                               const render::Manifest& manifest,
                                               const Json& desired, bool is_reported);
  void learn(const Json& pipeline, const render::Manifest& manifest, const std::string& intent,
             const Json& answer, const Json& desired);

  kube::Client& client_;
  const Stores& stores_;
  MutationCache& mutations_;
  const Events& events_;
  const Clock& clock_;
  DriftLimiter limiter_;
  mutable Mutex mutex_;
  // By kind and key; at most one for each object of a live Pipeline.
  std::map<std::string, NotKept> not_kept_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
