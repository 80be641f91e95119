#include "operator/k8s/blocking_watch.h"

#include <thread>
#include <utility>

#include "services/lib/base/thread.h"

namespace spanway::kube {
namespace {

class BlockingWatch final : public RunningWatch {
 public:
  BlockingWatch(Client& client, const ResourceType& type, WatchOptions options,
                WatchCallbacks callbacks)
      : thread_(start_thread("watch-" + std::string(type.plural),
                             [&client, type, options = std::move(options),
                              callbacks = std::move(callbacks)](const std::stop_token& stop) {
                               callbacks.on_end(
                                   client.watch(type, options, stop, callbacks.on_event));
                             })) {}
  void cancel() override { thread_.request_stop(); }

 private:
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<RunningWatch> watch_on_thread(Client& client, const ResourceType& type,
                                              WatchOptions options, WatchCallbacks callbacks) {
  return std::make_unique<BlockingWatch>(client, type, std::move(options), std::move(callbacks));
}

std::unique_ptr<RunningWatch> Client::start_watch(const ResourceType& type,
                                                  const WatchOptions& options,
                                                  WatchCallbacks callbacks) {
  return watch_on_thread(*this, type, options, std::move(callbacks));
}

}  // namespace spanway::kube
