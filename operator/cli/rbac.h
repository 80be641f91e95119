// A Role that names the Secrets of a Pipeline one by one, for clusters where the operator may not
// read all Secrets of a namespace.
#pragma once

#include <string>
#include <vector>

#include "operator/api/pipeline.h"

namespace spanway::cli {

struct ServiceAccountName {
  std::string name_space = "spanway-system";
  std::string name = "spanway-operator";
};
// A Role and a RoleBinding "<pipeline>-spanway-secrets" in the Pipeline's namespace that let the
// operator `get` exactly the Secrets that the Pipeline refers to; empty when it refers to none.
std::vector<kube::Json> secrets_role(const api::Pipeline& pipeline,
                                     const ServiceAccountName& account);

}  // namespace spanway::cli
