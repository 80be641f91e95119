// What we have written and the stores do not show yet: without it the next look at a store would
// take our own write for missing and do it again.
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

// Thread-safe. An entry is dropped as soon as the store shows another version than the one that was
// there when we wrote; after 30 s the store is believed again, and after a minute those that nobody
// asks for are gone. Kept as text: a thousand Pipelines that are installed at once are many
// objects.
class UnseenWrites {
 public:
  explicit UnseenWrites(const Clock& clock) : clock_(clock), swept_at_(clock.now()) {}

  // `seen` = what the store showed before (nothing = no object), `after` = the server's answer;
  // nothing = deleted.
  void wrote(const kube::ResourceType& type, const kube::ObjectKey& key,
             const std::optional<Json>& seen, std::optional<Json> after);
  // The newest state that is known, given what the store shows now.
  std::optional<Json> newest(const kube::ResourceType& type, const kube::ObjectKey& key,
                             std::optional<Json> stored);
  // The same of the versions; "" = no object.
  std::string newest_version(const kube::ResourceType& type, const kube::ObjectKey& key,
                             const std::string& stored_version);
  std::size_t size() const;

 private:
  struct Place {
    std::string plural;
    kube::ObjectKey key;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Entry {
    std::string seen_version;
    std::string after_version;
    std::string after;  // Empty = deleted.
    SteadyTime at;
  };

  // Null when the store shows something newer, or is believed again.
  const Entry* entry_over(const Place& place, const std::string& stored_version)
      SPANWAY_REQUIRES(mutex_);

  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<Place, Entry> entries_ SPANWAY_GUARDED_BY(mutex_);
  SteadyTime swept_at_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::reconcile
