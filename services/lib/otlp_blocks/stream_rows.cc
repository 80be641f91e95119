#include "services/lib/otlp_blocks/stream_rows.h"

#include <algorithm>
#include <array>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/otlp/value_json.h"
#include "services/lib/otlp_blocks/identity.h"
#include "services/lib/otlp_blocks/table_block.h"

namespace spanway::otlp_blocks {
namespace {

// Ascending by label name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kLabels = {{
    {"cloud_availability_zone", "cloud.availability_zone"},
    {"cloud_region", "cloud.region"},
    {"container_name", "container.name"},
    {"deployment_environment", "deployment.environment"},
    {"deployment_environment_name", "deployment.environment.name"},
    {"k8s_cluster_name", "k8s.cluster.name"},
    {"k8s_container_name", "k8s.container.name"},
    {"k8s_cronjob_name", "k8s.cronjob.name"},
    {"k8s_daemonset_name", "k8s.daemonset.name"},
    {"k8s_deployment_name", "k8s.deployment.name"},
    {"k8s_job_name", "k8s.job.name"},
    {"k8s_namespace_name", "k8s.namespace.name"},
    {"k8s_pod_name", "k8s.pod.name"},
    {"k8s_replicaset_name", "k8s.replicaset.name"},
    {"k8s_statefulset_name", "k8s.statefulset.name"},
    {"service_instance_id", "service.instance.id"},
    {"service_name", "service.name"},
    {"service_namespace", "service.namespace"},
}};

}  // namespace

StreamLabels stream_labels(const otlp::ResourceView& resource) {
  StreamLabels stream;
  std::string content;
  for (const auto& [label, key] : kLabels) {
    std::string value;
    const otlp::AttributeView* attribute = otlp::find_attribute(resource.attributes, key);
    if (attribute != nullptr && attribute->value.kind == otlp::ValueKind::kString) {
      value = attribute->value.text;
    } else if (attribute != nullptr && !append_typed_json(attribute->value, value)) {
      value.clear();
    }
    if (value.empty() && label == "service_name") value = "unknown_service";
    if (value.empty()) continue;
    append_part(content, label);
    append_part(content, value);
    stream.labels.emplace_back(label, std::move(value));
  }
  stream.id = murmur3(content).low;
  return stream;
}

StreamRows::StreamRows(std::string_view tenant, const KnownRows* known)
    : tenant_(tenant),
      known_(known),
      result_{.table = "log_streams", .rows = table_block("log_streams"), .identities = {}} {}

void StreamRows::seen(const StreamLabels& stream, std::int32_t day, std::uint32_t seconds) {
  const auto [place, is_new] = row_of_.emplace(std::pair(stream.id, day), kNoRow);
  if (is_new) place->second = add(stream, day);
  if (place->second != kNoRow)
    last_seen_[place->second] = std::max(last_seen_[place->second], seconds);
}

std::size_t StreamRows::add(const StreamLabels& stream, std::int32_t day) {
  std::string content = "log_streams";
  append_part(content, tenant_);
  content += std::to_string(stream.id) + '/' + std::to_string(day);
  const std::uint64_t identity = murmur3(content).low;
  if (known_ != nullptr && known_->contains(identity)) return kNoRow;
  block::Block& rows = result_.rows;
  rows.get<block::DictionaryColumn>("tenant").append(tenant_);
  rows.get<block::FixedColumn>("stream_id").append(stream.id);
  auto& labels = rows.get<block::ListColumn>("labels");
  for (const auto& [name, value] : stream.labels) {
    static_cast<block::DictionaryColumn&>(labels.nested(0)).append(name);
    static_cast<block::StringColumn&>(labels.nested(1)).append(value);
  }
  labels.close_row();
  rows.get<block::FixedColumn>("day").append(static_cast<std::uint16_t>(day));
  result_.identities.push_back(identity);
  last_seen_.push_back(0);
  return last_seen_.size() - 1;
}

DictionaryBlock StreamRows::take() {
  auto& column = result_.rows.get<block::FixedColumn>("last_seen");
  for (const std::uint32_t seconds : last_seen_) column.append(seconds);
  return std::move(result_);
}

}  // namespace spanway::otlp_blocks
