// The schema of `status`. Only the operator writes it, so it has bounds and no rules.
#include <initializer_list>
#include <utility>

#include "operator/api/schema.h"

namespace spanway::api {
namespace {

constexpr std::size_t kWordMax = 256;
constexpr std::size_t kMessageMax = 4096;
constexpr std::size_t kLeaseMax = 512;
constexpr std::size_t kItemsMax = 256;

Json text(const char* doc, std::size_t length_max = kWordMax) {
  return {{"type", "string"}, {"maxLength", length_max}, {"description", doc}};
}
Json number(const char* doc) {
  return {{"type", "integer"}, {"format", "int64"}, {"description", doc}};
}
Json flag(const char* doc) { return {{"type", "boolean"}, {"description", doc}}; }
Json object(const char* doc, Json properties) {
  return {{"type", "object"}, {"description", doc}, {"properties", std::move(properties)}};
}
// Objects with distinct values of `key`.
Json list(const char* doc, const char* key, Json item) {
  item["required"] = Json::array({key});
  return {{"type", "array"},
          {"description", doc},
          {"maxItems", kItemsMax},
          {"items", std::move(item)},
          {"x-kubernetes-list-type", "map"},
          {"x-kubernetes-list-map-keys", Json::array({key})}};
}

Json conditions() {
  Json item = object(
      "A condition.",
      {{"type", text("Type of the condition.")},
       {"status",
        {{"type", "string"},
         {"enum", {"True", "False", "Unknown"}},
         {"description", "True, False or Unknown."}}},
       {"reason", text("Reason in CamelCase.")},
       {"message", text("Reason as a sentence.", kMessageMax)},
       {"lastTransitionTime",
        {{"type", "string"}, {"format", "date-time"}, {"description", "When `status` changed."}}},
       {"observedGeneration", number("The generation that the condition describes.")}});
  Json conditions = list(
      "Ready, Progressing, ConfigValid, KafkaReachable, TopicsReady, ExportersHealthy, Degraded, "
      "RolledBack, ScalingLimited, RetentionAtRisk, Paused, Reconciling, Stalled, SchemaReady.",
      "type", std::move(item));
  conditions["items"]["required"] = {"type", "status"};
  return conditions;
}

Json components() {
  return list(
      "The workloads.", "name",
      object("One workload.",
             {{"name", text("Its name.")},
              {"role", text("ingress, bridge, exporter, consumer or query.")},
              {"exporter", text("The exporter it belongs to.")},
              {"desired", number("Desired pods.")},
              {"ready", number("Ready pods.")},
              {"updated", number("Pods of the newest revision.")},
              {"revision", text("The revision that it runs.")},
              {"lastRestartReason", text("Why a container was restarted last.", kMessageMax)}}));
}

Json exporters() {
  return list(
      "The exporters.", "name",
      object(
          "One exporter.",
          {{"name", text("Its name.")},
           {"state", text("Running, Degraded, Paused, Stalled or Unknown.")},
           {"since", text("Since when lag and last error are unchanged.")},
           {"ready", text("Ready and desired pods: 1/1.")},
           {"lag", text("Age of the oldest record that is not delivered, as a bucket; unknown when "
                        "no consumer reports.")},
           {"lastError",
            object("Why it does not deliver.", {{"reason", text("Reason in CamelCase.")},
                                                {"message", text("The error.", kMessageMax)}})},
           {"degraded",
            object("Set while the circuit of its destination is open: after many failures only "
                   "probes are sent.",
                   {{"since", text("Since when.")},
                    {"reason", text("Reason in CamelCase.")},
                    {"message", text("The failure.", kMessageMax)}})}}));
}

Json query() {
  return object("The query component, where spec.query is set.",
                {{"ready", text("Ready and desired pods: 1/1.")},
                 {"store", text("Reachable, Unreachable or Unknown, as its pods report it.")},
                 {"since", text("Since when.")},
                 {"message", text("Why it is unreachable.", kMessageMax)}});
}

Json topics() {
  return list(
      "The topics, as `topics apply` reported them.", "name",
      object("One topic.", {{"name", text("Its name.")},
                            {"partitions", number("Its partitions.")},
                            {"replicationFactor", number("Copies of each.")},
                            {"minInsyncReplicas", number("Copies that must be in sync.")},
                            {"state", text("Ready, Weak or Failed.")},
                            {"message", text("The weak setting, the failure, or why the settings "
                                             "may not be read.",
                                             kMessageMax)}}));
}

Json storage() {
  return list(
      "Stores of the exporters of the types ClickHouse and S3.", "exporter",
      object("One exporter.",
             {{"exporter", text("Its name.")},
              {"schema", text("ClickHouse: the last migrate Job. Pending, Ready, Failed, "
                              "Blocked or Held.")},
              {"compaction", text("S3: the last compaction run. Waiting, Succeeded or Failed.")},
              {"message", text("Why it is so.", kMessageMax)}}));
}

Json shared_with() {
  return {{"type", "array"},
          {"description", "Pipelines that share topics with this one, as namespace/name."},
          {"maxItems", 256},
          {"x-kubernetes-list-type", "atomic"},
          {"items", {{"type", "string"}, {"maxLength", 512}}}};
}

Json config() {
  return object(
      "Revisions of the Pipeline, and the state of the rollout.",
      {{"desiredRevision", text("The revision of the spec.")},
       {"activeRevision", text("The revision that runs.")},
       {"lastGoodRevision", text("The last revision that was healthy.")},
       {"failedRevision", text("The revision that was rolled back; it is not tried again.")},
       {"failedReason", text("Why.", kMessageMax)},
       {"failedSecrets",
        text("Fingerprint of the Secrets that it failed with, as far as pods read them again "
             "without a restart; it is tried again when they change.")},
       {"rollingRevision", text("The revision being rolled out.")},
       {"rollingComponent", text("The workload being rolled out.")},
       {"rollingPromoted", flag("The canary has passed.")},
       {"rollingSince", number("Start of the rollout, in milliseconds since the epoch.")},
       {"availableSince",
        {{"type", "object"},
         {"description",
          "Since when workloads that are not recorded as good yet have been available without a "
          "break, in milliseconds since the epoch."},
         {"maxProperties", kItemsMax},
         {"additionalProperties", {{"type", "integer"}, {"format", "int64"}}}}},
       {"unproven",
        {{"type", "array"},
         {"description",
          "Workloads that have not been available for healthyAfter yet "
          "although the revision is the last good one."},
         {"maxItems", kItemsMax},
         {"x-kubernetes-list-type", "set"},
         {"items", text("Its name.")}}},
       {"forceCheck", text("Value of the annotation spanway.dev/force-config-check that "
                           "was consumed last; of a long one its hash.")}});
}

Json summary() {
  return object("For `kubectl get`.", {{"ingress", text("Ready and desired pods: 2/2.")},
                                       {"exporters", text("Healthy exporters and all: 1/1.")},
                                       {"lag", text("The worst lag, as a bucket.")},
                                       {"config", text("State of the configuration.")}});
}

}  // namespace

Json status_schema() {
  return object("The observed state.",
                {{"observedGeneration", number("The generation that this status describes.")},
                 {"version", text("Release of the running components.")},
                 {"operator", text("The release of the operator that works on it, by its Lease: "
                                   "namespace/name.",
                                   kLeaseMax)},
                 {"contender",
                  text("Another release that wants to; removed by the one that does.", kLeaseMax)},
                 {"upgrade", text("Why the operator's new version is not rolled out yet.")},
                 {"replicas", number("Pods of the ingress, for `kubectl scale`.")},
                 {"selector", text("Selects them.", kMessageMax)},
                 {"conditions", conditions()},
                 {"components", components()},
                 {"exporters", exporters()},
                 {"query", query()},
                 {"topics", topics()},
                 {"topicsSharedWith", shared_with()},
                 {"storage", storage()},
                 {"config", config()},
                 {"summary", summary()}});
}

}  // namespace spanway::api
