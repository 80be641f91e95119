#include "operator/decide/rollout_state_machine.h"

namespace spanway::decide {
namespace {

std::string kafka_error_of(const StatuszReport& report) {
  if (!report.kafka_reachable)
    return report.last_error.empty() ? "no broker answers" : report.last_error;
  for (const TopicReport& topic : report.topics) {
    if (!topic.error.empty()) return "topic " + topic.name + ": " + topic.error;
  }
  if (report.produce && !report.produce->ok)
    return "produce requests fail: " + report.produce->error;
  return "";
}

// `waits`: one that has not answered yet is an error too.
std::string destination_error_of(const StatuszReport& report, bool waits) {
  if (!report.has_destination) return "";
  const std::string place = "destination " + report.destination_endpoint;
  if (!report.destination_known) return waits ? place + " has not answered yet" : "";
  if (report.destination_reachable) return "";
  return place + " cannot be reached: " + report.destination_error;
}

}  // namespace

const StatuszReport* RolloutStateMachine::report_of(const PodView& pod) const {
  if (input_.reports == nullptr) return nullptr;
  const auto found = input_.reports->find(pod.name);
  return found == input_.reports->end() || !found->second.answered ? nullptr : &found->second;
}

std::string RolloutStateMachine::regression_of_canary(const Part& part, const PodView& canary,
                                                      bool waits) const {
  const StatuszReport* report = report_of(canary);
  if (report == nullptr) return "";
  const render::Role role = part.desired->id.role;
  if (role == render::Role::kIngress || role == render::Role::kQuery) return "";
  const auto error_of = [role, waits](const StatuszReport& one) {
    return role == render::Role::kExporter ? destination_error_of(one, waits) : kafka_error_of(one);
  };
  const std::string error = error_of(*report);
  if (error.empty()) return "";
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting || pod.revision == part.desired->revision) continue;
    const StatuszReport* old = report_of(pod);
    // The state of a destination is unknown until something was sent to it.
    const bool has_proof =
        role != render::Role::kExporter || (old != nullptr && old->destination_known);
    if (old != nullptr && has_proof && error_of(*old).empty()) {
      return "pod " + canary.name + ": " + error + "; pods of the old revision do not report it";
    }
  }
  return "";
}

bool RolloutStateMachine::no_pod_reaches_kafka() const {
  if (input_.reports == nullptr) return false;
  bool may_be = false;
  for (const Part& part : parts_) {
    const render::Role role = part.desired->id.role;
    if (role != render::Role::kBridge && role != render::Role::kConsumer) continue;
    for (const PodView& pod : part.view->pods) {
      // A ready pod has reached Kafka at least once.
      if (pod.deleting || !pod.ready) continue;
      // Not polled yet after a restart of the operator: assume that it does not reach Kafka either.
      const bool not_polled = !input_.reports->contains(pod.name);
      const StatuszReport* report = report_of(pod);
      if (report != nullptr && report->kafka_reachable) return false;
      may_be = may_be || not_polled || report != nullptr;
    }
  }
  return may_be;
}

bool RolloutStateMachine::waits_for_kafka(const Part& part) const {
  const PodView* pod = troubled_pod(part);
  return pod != nullptr && (pod->reason.empty() || pod->reason == "NotReady") &&
         no_pod_reaches_kafka();
}

}  // namespace spanway::decide
