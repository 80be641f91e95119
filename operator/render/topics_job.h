// The Job that creates or verifies the topics: the operator itself never connects to Kafka.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/render/object_parts.h"

namespace spanway::render {

inline constexpr char kTopicsComponent[] = "topics";

bool has_topics_job(const api::Pipeline& pipeline);
// The name of its ServiceAccount and NetworkPolicy; the Job's own name adds its fingerprint.
std::string topics_name(const api::Pipeline& pipeline);
Json topics_selector(const Context& context);

struct TopicsJob {
  std::vector<Manifest> support;  // ConfigMap, ServiceAccount.
  Manifest job;
};
std::optional<TopicsJob> topics_job(const Context& context);

}  // namespace spanway::render
