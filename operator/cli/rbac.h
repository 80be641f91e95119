// For clusters where nobody may read all Secrets of a namespace: a Role that names them one by one.
#pragma once

#include <string>
#include <vector>

#include "operator/api/pipeline.h"

namespace spanway::reconcile {

struct ServiceAccountName {
  std::string name_space = "spanway-system";
  std::string name = "spanway-operator";
};
// A Role and a RoleBinding "<pipeline>-spanway-secrets" in the Pipeline's namespace that let the
// operator `get` exactly the Secrets that the Pipeline refers to; empty when it refers to none.
std::vector<kube::Json> secrets_role(const api::Pipeline& pipeline,
                                     const ServiceAccountName& account);

}  // namespace spanway::reconcile
