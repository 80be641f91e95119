// The identities of the referenced Secrets. Secrets are read by name, never listed or watched, and
// nothing but their identity is kept.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "operator/k8s/kube_client.h"
#include "operator/reconcile/events.h"
#include "services/lib/base/mutex.h"

namespace spanway::reconcile {

// Differs when a Secret's data differs: "uid=<first part>;<key>=<hash>;...", the
// hashes keyed by the uid. Pods restart when a key that they mount changes.
std::string secret_identity(const kube::Json& secret);
// True when a Secret of this identity has the key.
bool has_key(const std::string& identity, const std::string& key);
// `identity` with these keys as they were in `earlier`.
std::string with_keys_of(std::string identity, const std::string& earlier,
                         const std::set<std::string>& keys);

// Thread-safe. As many entries as Secrets that Pipelines refer to.
class SecretsPoller {
 public:
  // Called on the thread of poll(), for each Pipeline that refers to a Secret that has changed.
  using Changed = std::function<void(const kube::ObjectKey& pipeline)>;
  SecretsPoller(kube::Client& client, const Events& events, Changed changed);

  struct Found {
    // secret_identity() by name.
    std::map<std::string, std::string> identities;
    std::vector<std::string> missing;
    // Those that may not be read, with the server's message.
    std::map<std::string, std::string> refused;
  };
  // From now on the Pipeline refers to these (and no longer to others). What is not known yet is
  // read now, on this thread; an error means that the API server did not answer.
  Result<Found> resolve(const kube::ObjectKey& pipeline, const std::vector<std::string>& names);
  void forget(const kube::ObjectKey& pipeline);

  // Reads all of them once. A Secret that cannot be read keeps its last known state.
  void poll();
  std::size_t size() const;

 private:
  struct State {
    bool known = false;
    std::string identity;  // Empty = there is none.
    std::string refusal;   // May not be read.
    friend bool operator==(const State&, const State&) = default;
  };
  struct Entry {
    State state;
    std::set<kube::ObjectKey> pipelines;
  };
  Result<State> read_secret(const kube::ObjectKey& secret);

  kube::Client& client_;
  const Events& events_;
  const Changed changed_;
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Entry> secrets_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
