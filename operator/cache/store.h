// The last seen state of the objects of one kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "operator/k8s/resource.h"
#include "services/lib/base/mutex.h"

namespace spanway::kube {

// What a store keeps of an object; the rest is memory for nothing at a thousand Pipelines.
using Projection = std::function<Json(Json object)>;
// All but metadata.managedFields and the copy of the object that kubectl apply leaves in an
// annotation.
Json without_bookkeeping(Json object);

// Objects are kept as compact text and parsed when they are read. Thread-safe. Size: whatever the
// API server has of the kind and the selector.
class Store {
 public:
  // Objects are found again by owner: the name of the Pipeline in the label spanway.dev/pipeline,
  // in their namespace; objects without it are their own owner.
  // Objects of namespaces that `wants` refuses are not kept; null = all are.
  using Wants = std::function<bool(const std::string& name_space)>;
  explicit Store(Projection projection, Wants wants = nullptr);

  std::optional<Json> get(const ObjectKey& key) const;
  std::vector<Json> of_owner(const ObjectKey& pipeline) const;
  std::vector<ObjectKey> keys() const;
  std::vector<ObjectKey> keys_of_owner(const ObjectKey& pipeline) const;
  // What there is to know of an object without reading it.
  struct State {
    std::string version;  // metadata.resourceVersion
    std::string uid;
    std::uint64_t made = 0;  // Hash of what is kept but the version and the status.
    friend bool operator==(const State&, const State&) = default;
  };
  std::optional<State> state(const ObjectKey& key) const;
  // The resourceVersion up to which everything that happened to the kind is in the store; "" before
  // the first list. An object that is absent was absent at this version.
  std::string version() const;
  std::size_t size() const;
  std::size_t bytes() const;  // Of the texts.

  // For the reflector. They return the owners whose reconciliation is wanted, each once: nobody
  // when of what is kept nothing but the resourceVersion has changed (the status of an autoscaler
  // moves every 15 s), two when it has another owner now.
  // `version` moves version(); upsert() takes the object's own.
  std::vector<ObjectKey> upsert(const Json& object);
  std::vector<ObjectKey> erase(const ObjectKey& key, const std::string& version = {});
  // The result of a new list. Objects that are gone count as deleted (their deletion was missed).
  std::vector<ObjectKey> replace(const std::vector<Json>& objects, const std::string& version = {});
  // A bookmark.
  void advance_to(const std::string& version);

 private:
  struct Entry {
    std::string text;
    std::string uid;
    std::string resource_version;
    std::uint64_t made = 0;    // As in State.
    std::uint64_t status = 0;  // Hash of the status.
    ObjectKey owner;
  };
  using Owners = std::set<ObjectKey>;
  void upsert_locked(const Json& object, Owners& changed) SPANWAY_REQUIRES(mutex_);
  void erase_locked(const ObjectKey& key, Owners& changed) SPANWAY_REQUIRES(mutex_);
  void unlink(const ObjectKey& owner, const ObjectKey& key) SPANWAY_REQUIRES(mutex_);

  const Projection projection_;
  const Wants wants_;
  mutable Mutex mutex_;
  std::map<ObjectKey, Entry> entries_ SPANWAY_GUARDED_BY(mutex_);
  std::map<ObjectKey, std::set<ObjectKey>> by_owner_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::string version_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kube
