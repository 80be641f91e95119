// The watch cache of one kind.
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

// Selects the fields that a store keeps: memory matters at a thousand Pipelines.
using Projection = std::function<Json(Json object)>;
// Drops metadata.managedFields and kubectl's last-applied-configuration annotation.
Json without_bookkeeping(Json object);

// Keeps objects as compact text and parses them on read. Thread-safe. Bounded only by the number of
// objects of the kind and the selector.
class Store {
 public:
  // Indexes objects by owner: the Pipeline that the label spanway.dev/pipeline names, in their
  // namespace; an object without the label is its own owner. Objects of namespaces that
  // `keeps_namespace` refuses are not stored; null = all are.
  using NamespaceFilter = std::function<bool(const std::string& name_space)>;
  explicit Store(Projection projection, NamespaceFilter keeps_namespace = nullptr);

  std::optional<Json> get(const ObjectKey& key) const;
  std::vector<Json> of_owner(const ObjectKey& pipeline) const;
  std::vector<ObjectKey> keys() const;
  std::vector<ObjectKey> keys_of_owner(const ObjectKey& pipeline) const;
  // Known without parsing the object.
  struct State {
    std::string version;  // metadata.resourceVersion
    std::string uid;
    std::uint64_t content = 0;  // Hash of the stored fields except resourceVersion and status.
    friend bool operator==(const State&, const State&) = default;
  };
  std::optional<State> state(const ObjectKey& key) const;
  // The resourceVersion up to which the store has every event of the kind; "" before the first
  // list. An absent object did not exist at this version.
  std::string version() const;
  std::size_t size() const;
  std::size_t bytes() const;  // Total size of the texts.

  // For the reflector. They return the owners to reconcile, each once: none when only the
  // resourceVersion of the stored fields has changed (an autoscaler's status changes every 15 s),
  // two when the owner has changed.
  // `version` advances version(); upsert() uses the object's own.
  std::vector<ObjectKey> upsert(const Json& object);
  std::vector<ObjectKey> erase(const ObjectKey& key, const std::string& version = {});
  // The result of a new list. Missing objects are erased: their deletion was missed.
  std::vector<ObjectKey> replace(const std::vector<Json>& objects, const std::string& version = {});
  // A bookmark.
  void advance_to(const std::string& version);

 private:
  struct Entry {
    std::string text;
    std::string uid;
    std::string resource_version;
    std::uint64_t content = 0;  // As in State.
    std::uint64_t status = 0;   // Hash of the status.
    ObjectKey owner;
  };
  using Owners = std::set<ObjectKey>;
  void upsert_locked(const Json& object, Owners& changed) SPANWAY_REQUIRES(mutex_);
  void erase_locked(const ObjectKey& key, Owners& changed) SPANWAY_REQUIRES(mutex_);
  void unlink(const ObjectKey& owner, const ObjectKey& key) SPANWAY_REQUIRES(mutex_);

  const Projection projection_;
  const NamespaceFilter keeps_namespace_;
  mutable Mutex mutex_;
  std::map<ObjectKey, Entry> entries_ SPANWAY_GUARDED_BY(mutex_);
  std::map<ObjectKey, std::set<ObjectKey>> by_owner_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::string version_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kube
