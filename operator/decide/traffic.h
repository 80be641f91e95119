// Decides from the pods' reports whether telemetry can flow: pure. What a pod does not report (an
// older service, one that has not sent anything yet, one that does not answer) is unknown and never
// bad.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/decide/observation.h"
#include "operator/decide/statusz_report.h"

namespace spanway::decide {

using Reports = std::map<std::string, StatuszReport>;  // By pod name.

// Something that stops telemetry at one component.
struct Obstacle {
  // "NextHopUnreachable", "TopicMissing", "KafkaAccessDenied", "NotEnoughReplicas", ...
  std::string reason;
  std::string place;  // Component, pod and activity; stays while the text of an error changes.
  std::string words;
  bool blocks = false;  // No pod of the component that reports it gets through.

  std::string message() const { return place + words; }
};

// The first obstacle that blocks, else the first one, in the order of components. Canaries do not
// count: they belong to the rollout. `pipeline` is the name of the Pipeline.
std::optional<Obstacle> next_hop_obstacle(const std::string& pipeline,
                                          const std::vector<ComponentView>& components,
                                          const Reports& reports);
// Topics that a bridge or consumer cannot use, and produce requests that fail. Pods that do
// not reach Kafka at all are left out.
std::optional<Obstacle> topics_obstacle(const std::string& pipeline,
                                        const std::vector<ComponentView>& components,
                                        const Reports& reports);
// Consumers that are assigned no partitions of their group.
std::optional<Obstacle> assignment_obstacle(const std::string& pipeline, const ComponentView& view,
                                            const Reports& reports);
// Some pod that reaches Kafka reports a topic that does not exist, and no pod of its component has
// it.
bool reports_missing_topic(const std::vector<ComponentView>& components, const Reports& reports);
// A listener that still serves its old certificate because the new one does not load; never blocks.
std::optional<Obstacle> certificate_obstacle(const std::string& pipeline,
                                             const std::vector<ComponentView>& components,
                                             const Reports& reports);
// Credentials that were read again and cannot be used, in the first pod that reports any; never
// blocks: the ones of before stay in use.
std::optional<Obstacle> credentials_obstacle(const std::string& pipeline,
                                             const std::vector<ComponentView>& components,
                                             const Reports& reports);
// Settings that endanger records, each once, as the bridges report them.
std::vector<std::string> reported_weaknesses(const std::vector<ComponentView>& components,
                                             const Reports& reports);

// The error of a topic or group as one word; `otherwise` when the text is unknown.
std::string kafka_error_reason(const std::string& error, const char* otherwise);

}  // namespace spanway::decide
