// The stores of all kinds that the operator watches, and what is kept of an object of each kind.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/cache/store.h"
#include "operator/k8s/kube_client.h"
#include "operator/k8s/resource.h"
#include "operator/render/render.h"

namespace spanway::reconcile {

using kube::Json;

inline constexpr char kManagedBySelector[] = "app.kubernetes.io/managed-by=spanway-operator";

// The kept part of an object: without managedFields, of pods without their specification, of
// autoscalers of their status only that they cannot compute, of disruption budgets, Ingresses and
// HTTPRoutes without it, of immutable ConfigMaps without their data (it cannot be changed in
// place).
Json project(const kube::ResourceType& type, Json object);

// The kinds of other projects that the API server has.
Result<render::ServedKinds> served_kinds(kube::Client& client);

// All kinds, in each of the watched namespaces. Thread-safe after construction.
class Stores {
 public:
  struct Entry {
    kube::ResourceType type;
    std::string name_space;  // Empty = all.
    std::string label_selector;
    std::unique_ptr<kube::Store> store;
  };

  // One watch for each kind and namespace, or one for each kind over all namespaces, of which only
  // the watched ones are stored.
  enum class Watches { kPerNamespace, kClusterWide };
  // Pipelines and the kinds that they are rendered to. Kinds the server does not have are left out
  // by the caller.
  Stores(const std::vector<std::string>& namespaces, const std::vector<kube::ResourceType>& kinds,
         Watches watches = Watches::kPerNamespace);

  // The kinds that a Pipeline is rendered to and that are pruned; without Pipelines and Pods.
  static std::vector<kube::ResourceType> owned_kinds(const render::ServedKinds& served);

  const std::vector<Entry>& entries() const noexcept { return entries_; }
  std::optional<Json> get(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  std::vector<Json> of_owner(const kube::ResourceType& type, const kube::ObjectKey& pipeline) const;
  std::optional<kube::Store::State> state(const kube::ResourceType& type,
                                          const kube::ObjectKey& key) const;
  // kube::Store::version() of the kind in the namespace.
  std::string version(const kube::ResourceType& type, const std::string& name_space) const;
  std::vector<kube::ObjectKey> keys_of_owner(const kube::ResourceType& type,
                                             const kube::ObjectKey& pipeline) const;
  std::vector<kube::ObjectKey> pipelines() const;
  const std::vector<kube::ResourceType>& kinds() const noexcept { return kinds_; }
  std::size_t size() const;
  std::size_t bytes() const;

 private:
  const kube::Store* find(const kube::ResourceType& type, const std::string& name_space) const;

  const std::vector<kube::ResourceType> kinds_;
  const std::set<std::string> watched_;  // Empty = all.
  std::vector<Entry> entries_;
  // Places in entries_ by kind and namespace: there are thousands with one watch a namespace.
  std::map<std::pair<std::string_view, std::string>, std::size_t> places_;
};

}  // namespace spanway::reconcile
