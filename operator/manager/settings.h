// The operator's own configuration: a file, SPANWAY_* variables, or the defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"

namespace spanway::manager {

struct LeaseSettings {
  bool enabled = true;
  std::string name = "spanway-operator";
  std::string name_space;  // Empty = the operator's own.
};

struct OperatorSettings {
  std::string kubeconfig;                     // Empty = $KUBECONFIG, else inside a pod.
  std::vector<std::string> watch_namespaces;  // Empty = all.
  std::string operator_namespace;             // Empty = of the pod or the kubeconfig's context.
  std::string cluster_id;                     // Empty = of the kube-system namespace.
  std::string image_repository = "spanway";
  bool deny_private_endpoints = false;
  std::int64_t workers = 2;
  std::int64_t max_concurrent_rollouts = 10;
  std::string maintenance_window;  // Empty = always.
  Duration request_timeout = std::chrono::seconds(4);
  Duration resync = std::chrono::minutes(10);
  Duration secrets_poll = std::chrono::seconds(60);
  Duration statusz_poll = std::chrono::seconds(10);
  Duration statusz_poll_idle = std::chrono::seconds(30);
  LeaseSettings lease;
};

void describe(config::Binder& b, OperatorSettings& s);
void validate(const OperatorSettings& s, config::Problems& problems);

}  // namespace spanway::manager
