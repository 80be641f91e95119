// A watch on a thread of its own: for clients that can only block.
#pragma once

#include <memory>

#include "operator/k8s/kube_client.h"

namespace spanway::kube {

// Calls client.watch() on a new thread. The client outlives the result.
std::unique_ptr<RunningWatch> watch_on_thread(Client& client, const ResourceType& type,
                                              WatchOptions options, WatchCallbacks callbacks);

}  // namespace spanway::kube
