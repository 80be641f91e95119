// Read-your-writes overlay over the watch cache: prevents repeating a write before its watch event
// arrives.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "operator/json/json.h"
#include "operator/k8s/resource.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::reconcile {

using kube::Json;

// Thread-safe. Answers and watch events come in any order, so an entry counts only while both the
// stored object and the store itself (kube::Store::version) are older than it by resourceVersion;
// an entry that the store has passed is dropped. Versions that cannot be compared are never kept:
// the store decides, and a write is repeated at worst. After 30 s the store decides in any case,
// and the Pipeline must be reconciled again (expires_in). Kept as text: a thousand Pipelines that
// are installed at once are many objects.
class MutationCache {
 public:
  explicit MutationCache(const Clock& clock) : clock_(clock) {}

  // The state of an object in the store. `store_version` is read before the object is.
  struct Stored {
    std::string store_version;
    std::string version;  // Empty = no object.
    std::string uid;
  };
  // `answer` = the object as the server has answered it.
  void wrote(const kube::ObjectKey& pipeline, const kube::ResourceType& type,
             const kube::ObjectKey& key, const Json& answer, const Stored& stored);
  // `deleted`: uid and version of the object that was deleted.
  void removed(const kube::ObjectKey& pipeline, const kube::ResourceType& type,
               const kube::ObjectKey& key, const Json& deleted, const Stored& stored);

  // The newest known state: `object` is what the store shows.
  std::optional<Json> newest(const kube::ResourceType& type, const kube::ObjectKey& key,
                             const Stored& stored, std::optional<Json> object);
  // The same of the versions; "" = no object.
  std::string newest_version(const kube::ResourceType& type, const kube::ObjectKey& key,
                             const Stored& stored);
  // When the last entry of the Pipeline ends; zero = it has none.
  Duration expires_in(const kube::ObjectKey& pipeline);
  void forget(const kube::ObjectKey& pipeline);
  std::size_t size() const;

 private:
  struct Place {
    std::string plural;
    kube::ObjectKey key;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Entry {
    kube::ObjectKey pipeline;
    std::string version;      // resourceVersion of the answer, or of the deleted object.
    std::string removed_uid;  // Empty = was written.
    std::string text;
    SteadyTime at;
  };
  struct Pending {
    std::size_t entries = 0;
    SteadyTime last;
  };
  using Entries = std::map<Place, Entry>;

  void put(Place place, Entry entry, const Stored& stored) SPANWAY_REQUIRES(mutex_);
  Entries::iterator drop(Entries::iterator entry) SPANWAY_REQUIRES(mutex_);
  bool is_newer(const Entry& entry, const Stored& stored) const SPANWAY_REQUIRES(mutex_);
  // Null when the store has passed it, or decides again.
  const Entry* entry_over(const Place& place, const Stored& stored) SPANWAY_REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  Entries entries_ SPANWAY_GUARDED_BY(mutex_);
  std::map<kube::ObjectKey, Pending> pending_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
