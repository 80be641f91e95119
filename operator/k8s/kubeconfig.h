// Reading a kubeconfig file.
#pragma once

#include <string>
#include <string_view>

#include "operator/k8s/access.h"

namespace spanway::kube {

struct Kubeconfig {
  Cluster cluster;
  CredentialSources credentials;
};

// The cluster, user and namespace of one context (empty = current-context). Paths inside are taken
// from the folder of `path`. What would need another program or would silently act as somebody else
// (exec, auth-provider, impersonation, username and password, proxy-url) is refused by name.
Result<Kubeconfig> read_kubeconfig(std::string_view yaml, const std::string& path,
                                   const std::string& context);

}  // namespace spanway::kube
