// Reads a kubeconfig file.
#pragma once

#include <string>
#include <string_view>

#include "operator/k8s/access.h"

namespace spanway::kube {

struct Kubeconfig {
  Cluster cluster;
  CredentialSources credentials;
};

// The cluster, user and namespace of one context (empty = current-context). Relative paths
// start at the folder of `path`. exec, auth-provider, impersonation, username and password and
// proxy-url are refused by name: they would need another program or another identity.
Result<Kubeconfig> read_kubeconfig(std::string_view yaml, const std::string& path,
                                   const std::string& context);

}  // namespace spanway::kube
