#include "operator/manager/settings.h"

#include <set>

#include "operator/reconcile/upgrade_pacer.h"

namespace spanway::manager {
namespace {

constexpr double kSecond = 1000.0;
constexpr char kName[] = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
constexpr char kNameOrNothing[] = "([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?";

}  // namespace

// Not in the unnamed namespace: the binder finds it next to its type.
static void describe(config::Binder& b, LeaseSettings& s) {
  b.key("enabled", s.enabled,
        {.doc = "Take part in the election of a leader. Off only when there is one operator."});
  b.key("name", s.name, {.doc = "Name of the Lease.", .pattern = kName});
  b.key("namespace", s.name_space,
        {.doc = "Namespace of the Lease. Empty = the operator's own.", .pattern = kNameOrNothing});
}

void describe(config::Binder& b, OperatorSettings& s) {
  b.key("kubeconfig", s.kubeconfig,
        {.doc = "How to reach the API server. Empty = the file in $KUBECONFIG, else the service "
                "account of the pod."});
  b.key("watch_namespaces", s.watch_namespaces,
        {.doc = "Namespaces whose Pipelines are run. Empty = all.",
         .example = "[telemetry]",
         .pattern = kName});
  b.key("operator_namespace", s.operator_namespace,
        {.doc = "Namespace of the operator; its pods may read the services' admin ports. Empty = "
                "of the service account or the kubeconfig's context.",
         .pattern = kNameOrNothing});
  b.key(
      "cluster_id", s.cluster_id,
      {.doc =
           "Distinguishes this cluster from others on the same Kafka: part of consumer groups, "
           "instance ids and client ids, so changing it resets the offsets of all consumers. Empty "
           "= the first 8 digits of the uid of the namespace kube-system, where the operator "
           "may read it, else none.",
       .example = "eu-west-1",
       .pattern = "([a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?)?"});
  b.key("image_repository", s.image_repository,
        {.doc = "Image of the services where a Pipeline names none.",
         .example = "registry.example.com/spanway",
         .pattern = "[a-z0-9][-a-zA-Z0-9._:/]*"});
  b.key("deny_private_endpoints", s.deny_private_endpoints,
        {.doc = "Let exporters send to public addresses only: Pipelines with other endpoints are "
                "refused, and NetworkPolicies keep the pods from what a name resolves to. For "
                "clusters where those who write Pipelines must not reach inner services."});
  b.key("workers", s.workers,
        {.doc = "Pipelines reconciled at the same time.", .min = 1, .max = 64});
  b.key(
      "max_concurrent_rollouts", s.max_concurrent_rollouts,
      {.doc = "Pipelines that roll out a new version of the operator at the same time; 0 = all. "
              "Edits of a Pipeline do not wait. The annotation spanway.dev/hold-version: \"true\" "
              "keeps one Pipeline at its version.",
       .min = 0,
       .max = 10'000});
  b.key("maintenance_window", s.maintenance_window,
        {.doc = "When the rollout of a new version of the operator may begin for a Pipeline, in "
                "UTC. Empty = always.",
         .example = "Sat,Sun 02:00-06:00"});
  b.key("request_timeout", s.request_timeout,
        {.doc = "How long one request to the API server may take. A write that is not answered in "
                "time ends the reconciliation, which is repeated after 1 s, doubling to 60 s. The "
                "Lease lasts three such times and 3 s, at least 15 s.",
         .min = kSecond,
         .max = 30 * kSecond});
  b.key("resync", s.resync,
        {.doc = "Each Pipeline is reconciled at least this often, also without an event.",
         .min = 10 * kSecond,
         .max = 86'400 * kSecond});
  b.key("secrets_poll", s.secrets_poll,
        {.doc = "How often referenced Secrets are read. They are never watched or listed.",
         .min = 5 * kSecond,
         .max = 3'600 * kSecond});
  b.key("statusz_poll", s.statusz_poll,
        {.doc = "How often pods are polled while a Pipeline changes or scales.",
         .min = kSecond,
         .max = 3'600 * kSecond});
  b.key("statusz_poll_idle", s.statusz_poll_idle,
        {.doc = "The same while nothing changes.", .min = kSecond, .max = 3'600 * kSecond});
  b.section("lease", s.lease, "Which of several operators writes.");
}

void validate(const OperatorSettings& s, config::Problems& problems) {
  if (s.statusz_poll > s.statusz_poll_idle)
    problems.add("statusz_poll", "must not be above statusz_poll_idle");
  if (!s.maintenance_window.empty() && !reconcile::MaintenanceWindow::parse(s.maintenance_window))
    problems.add("maintenance_window", "must be like \"02:00-06:00\" or \"Sat,Sun 22:00-06:00\"");
  const std::set<std::string> distinct(s.watch_namespaces.begin(), s.watch_namespaces.end());
  if (distinct.size() != s.watch_namespaces.size())
    problems.add("watch_namespaces", "names a namespace twice");
}

}  // namespace spanway::manager
