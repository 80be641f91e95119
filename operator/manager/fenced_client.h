// A client through which only a leader writes: the API server itself would take the writes of a
// former leader as well.
#pragma once

#include <condition_variable>
#include <functional>
#include <string_view>

#include "operator/k8s/kube_client.h"
#include "services/lib/base/mutex.h"

namespace spanway::manager {

// Thread-safe. Reads go through at any time. Each write checks again that it is still allowed; one
// that is not is a transient error, CANCELLED "not_leading", and nothing is sent. `behind` and what
// `leading` needs outlive it.
class FencedClient final : public kube::Client {
 public:
  using Json = kube::Json;

  FencedClient(kube::Client& behind, std::function<bool()> leading);

  // From now on writes are checked; before, all were refused.
  void open();
  // From now on they are refused. Returns when none is under way any more, which takes as long as
  // one request at most.
  void close();

  Result<Json> get(const kube::ResourceType& type, const kube::ObjectKey& key) override;
  Result<kube::ListResult> list(const kube::ResourceType& type,
                                const kube::ListOptions& options) override;
  Result<kube::Json> get_cached(const kube::ResourceType& type,
                                const kube::ObjectKey& key) override;
  std::unique_ptr<kube::RunningWatch> start_watch(const kube::ResourceType& type,
                                                  const kube::WatchOptions& options,
                                                  kube::WatchCallbacks callbacks) override;
  Status watch(const kube::ResourceType& type, const kube::WatchOptions& options,
               const std::stop_token& stop,
               const std::function<bool(kube::WatchEvent)>& on_event) override;
  Result<Json> apply(const kube::ResourceType& type, const Json& object,
                     const kube::ApplyOptions& options, std::string_view subresource = {}) override;
  Result<Json> create(const kube::ResourceType& type, const Json& object) override;
  Result<Json> replace(const kube::ResourceType& type, const Json& object,
                       std::string_view subresource = {}) override;
  Result<Json> merge_patch(const kube::ResourceType& type, const kube::ObjectKey& key,
                           const Json& patch, std::string_view subresource = {}) override;
  Status remove(const kube::ResourceType& type, const kube::ObjectKey& key,
                const std::string& uid = {}) override;
  Result<bool> serves(const kube::ResourceType& type) override;

 private:
  class Writing;

  kube::Client& behind_;
  const std::function<bool()> leading_;
  Mutex mutex_;
  CondVar changed_;
  bool open_ SPANWAY_GUARDED_BY(mutex_) = false;
  int writing_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spanway::manager
