#include "operator/reconcile/foreign_autoscalers.h"

namespace spanway::reconcile {

std::map<std::string, std::string> foreign_autoscalers(const std::vector<Json>& autoscalers,
                                                       const std::set<std::string>& workloads) {
  std::map<std::string, std::string> out;
  for (const Json& one : autoscalers) {
    if (kube::string_at(one, "metadata/labels/app.kubernetes.io~1managed-by") == "spanway-operator")
      continue;
    const std::string workload = kube::string_at(one, "spec/scaleTargetRef/kind") + "/" +
                                 kube::string_at(one, "spec/scaleTargetRef/name");
    if (workloads.contains(workload)) out.emplace(workload, kube::string_at(one, "metadata/name"));
  }
  return out;
}

const std::map<std::string, std::string>& ForeignAutoscalers::refresh(
    kube::Client& client, const std::string& name_space, const std::set<std::string>& workloads,
    bool contested, SteadyTime now) {
  if (!contested && found_.empty()) return found_;
  if (listed_at_ && now - *listed_at_ < kListCounts) return found_;
  listed_at_ = now;
  kube::ListOptions options;
  options.name_space = name_space;
  const auto listed = client.list(kube::kHorizontalPodAutoscalers, options);
  if (listed.ok()) found_ = foreign_autoscalers(listed->items, workloads);
  return found_;
}

}  // namespace spanway::reconcile
