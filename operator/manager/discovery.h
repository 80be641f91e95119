// Facts of the API server that the operator needs before it can reconcile.
#pragma once

#include <string>

#include "operator/k8s/kube_client.h"
#include "operator/manager/settings.h"
#include "operator/reconcile/stores.h"
#include "services/lib/base/result.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::manager {

struct Discovered {
  render::ServedKinds serves = {};
  std::string cluster_id = {};  // Empty = none.
  reconcile::Stores::Watches watches = reconcile::Stores::Watches::kPerNamespace;
};

// At most 20 requests, one after the other; the first that fails for another reason than missing
// permission ends it. Every error may pass later: the server may come back, the
// CustomResourceDefinition and the Role may be applied.
Result<Discovered> discover(kube::Client& client, const OperatorSettings& settings,
                            const telemetry::Logger& log);

}  // namespace spanway::manager
