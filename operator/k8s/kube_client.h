// The verbs of the Kubernetes API. RestClient (rest_client.h) is the real one, on cpprestsdk;
// tests/fakes/fake_kube.h keeps objects in memory for tests of the layers above.
//
// Errors by HTTP status: 401 UNAUTHENTICATED and 403 PERMISSION_DENIED (configuration), 404
// NOT_FOUND (data), 409 Conflict ABORTED "conflict" (transient), 409 AlreadyExists ALREADY_EXISTS,
// 410 and "Expired" OUT_OF_RANGE "expired" (transient), 422 and 400 INVALID_ARGUMENT (data), 429
// RESOURCE_EXHAUSTED with retry_after (transient), 5xx and no connection UNAVAILABLE, no answer in
// time DEADLINE_EXCEEDED (transient; the write may have happened: every write here may be
// repeated). Messages hold the verb, the path and the server's own words (Status.message),
// truncated to 1 KiB.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "operator/k8s/resource.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::kube {

struct ListOptions {
  std::string name_space = {};  // Empty = all namespaces.
  std::string label_selector = {};
  std::string field_selector = {};
  // "0" = any version in the server's cache; "" = the newest (quorum); else at least as new.
  std::string resource_version = "0";
};
struct ListResult {
  std::string resource_version = {};
  std::vector<Json> items;  // With apiVersion and kind; without managedFields.
};

struct WatchOptions {
  std::string name_space = {};
  std::string label_selector = {};
  std::string field_selector = {};
  std::string resource_version = {};
  // The server ends the stream after this. Bookmarks come about once a minute, but not for a kind
  // that has never had an object. Without a byte for `silence_max` a watch over HTTP/1.1 ends with
  // DEADLINE_EXCEEDED, because nothing else detects a dead connection; over HTTP/2 a PING does.
  Duration timeout = std::chrono::seconds(300);
  Duration silence_max = std::chrono::seconds(90);
};
struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted, kBookmark } type = Type::kAdded;
  Json object;  // Without managedFields; of a bookmark only metadata.
};

struct WatchCallbacks {
  // For each event; false ends the watch (ok).
  std::function<bool(WatchEvent)> on_event;
  // Exactly once, after the last event: ok when the stream has ended, otherwise why.
  std::function<void(Status)> on_end;
};

// A watch under way. Thread-safe; not destroyed by its own callbacks.
class RunningWatch {
 public:
  // Ends the watch and waits for its callbacks.
  virtual ~RunningWatch() = default;
  // `on_end` follows within a second, with CANCELLED unless the watch has ended otherwise.
  virtual void cancel() = 0;
};

struct ApplyOptions {
  std::string field_manager = "spanway-operator";
  bool force = true;
  bool dry_run = false;
};

// Thread-safe; each call blocks its thread, at most for `request_timeout` of the implementation
// (watch: until it ends). Secrets are never logged.
class Client {
 public:
  virtual ~Client() = default;

  virtual Result<Json> get(const ResourceType& type, const ObjectKey& key) = 0;
  // The same from the API server's watch cache, which may be a moment behind; costs etcd nothing.
  virtual Result<Json> get_cached(const ResourceType& type, const ObjectKey& key) {
    return get(type, key);
  }
  // Joins pages of 500.
  virtual Result<ListResult> list(const ResourceType& type, const ListOptions& options) = 0;
  // Calls `on_event` for each event, on this thread, until the stream ends (ok), fails, `stop` is
  // requested (CANCELLED, within a second) or `on_event` returns false (ok). An ERROR event ends it
  // with the error of its Status.
  virtual Status watch(const ResourceType& type, const WatchOptions& options,
                       const std::stop_token& stop,
                       const std::function<bool(WatchEvent)>& on_event) = 0;
  // The same without blocking. The callbacks run one at a time on a thread of the client, never
  // inside this call, and must not block for long: other watches may share the thread. Without an
  // override each watch has a thread that blocks in watch().
  virtual std::unique_ptr<RunningWatch> start_watch(const ResourceType& type,
                                                    const WatchOptions& options,
                                                    WatchCallbacks callbacks);
  // Server-side apply of the full intent; creates a missing object. Returns the live object.
  virtual Result<Json> apply(const ResourceType& type, const Json& object,
                             const ApplyOptions& options, std::string_view subresource = {}) = 0;
  virtual Result<Json> create(const ResourceType& type, const Json& object) = 0;
  // Full update; `metadata.resourceVersion`, when set, is a precondition.
  virtual Result<Json> replace(const ResourceType& type, const Json& object,
                               std::string_view subresource = {}) = 0;
  // JSON merge patch (RFC 7386).
  virtual Result<Json> merge_patch(const ResourceType& type, const ObjectKey& key,
                                   const Json& patch, std::string_view subresource = {}) = 0;
  // Background propagation. NOT_FOUND is ok. With a uid: a precondition.
  virtual Status remove(const ResourceType& type, const ObjectKey& key,
                        const std::string& uid = {}) = 0;
  // True when the server serves this kind (its group's discovery document lists it).
  virtual Result<bool> serves(const ResourceType& type) = 0;
};

}  // namespace spanway::kube
