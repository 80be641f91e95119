// The commands of spanway-operator: plan, render, check, rbac, crd, crd-doc.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "operator/k8s/kube_client.h"
#include "operator/manager/settings.h"
#include "services/lib/base/result.h"

namespace spanway::cli {

// The dependencies of a command. Exit codes: 0 done, 1 the Pipeline is wrong or the cluster
// refuses, 2 bad usage.
struct CommandContext {
  const manager::OperatorSettings& settings;
  std::ostream& out;
  std::ostream& err;
  // "-" is standard input. At most 4 MiB.
  std::function<Result<std::string>(const std::string& path)> read_file;
  // Calls `use` with a client for the kubeconfig (empty = found as the operator finds it), or
  // returns why there is none.
  std::function<Status(const std::string& kubeconfig,
                       const std::function<int(kube::Client&, const std::string& name_space)>& use)>
      with_cluster;
};
int run_command(const std::string& name, const std::vector<std::string>& arguments,
                const CommandContext& context);

// Real files, real clusters.
int run_command(const std::string& name, const std::vector<std::string>& arguments,
                const manager::OperatorSettings& settings);

}  // namespace spanway::cli
