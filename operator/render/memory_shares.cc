#include "operator/render/memory_shares.h"

#include <algorithm>

#include "services/kafka-bridge/config.h"
#include "services/lib/config/memory_limit.h"
#include "services/lib/config/scalar.h"

namespace spanway::render {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;
constexpr std::uint64_t kDefaultContainerMemory = 512 * kMiB;
// The kernel counts sockets and page tables of the container, too.
constexpr std::uint64_t kLimitPercent = 95;
// The services' own defaults, used while they fit.
constexpr std::uint64_t kBodyBytes = 64 * kMiB;
constexpr std::uint64_t kCompressedBytes = 16 * kMiB;
constexpr std::uint64_t kQueryBytes = 64 * kMiB;
constexpr std::uint64_t kPrefetchBytes = 1 * kMiB;
constexpr std::uint64_t kPrefetchBytesMin = 64u << 10;
constexpr std::uint64_t kPrefetchPercent = 40;

std::uint64_t percent_of(std::uint64_t bytes, std::uint64_t percent) {
  return bytes / 100 * percent;
}

std::uint64_t whole_mebibytes(std::uint64_t bytes) { return bytes / kMiB * kMiB; }

std::string size_text(std::uint64_t bytes) { return config::format_size({bytes}); }

// The value of a size in the file, or the fallback when it is unset or invalid.
std::uint64_t size_at(const Json& config, std::string_view path, std::uint64_t fallback) {
  const auto size = config::parse_size(kube::string_at(config, path));
  return size ? size->bytes : fallback;
}

void set_missing(Json& section, const char* key, std::uint64_t bytes) {
  if (section.is_null()) section = Json::object();
  if (section.is_object() && !section.contains(key)) section[key] = size_text(bytes);
}

config::ByteSize limit_of(std::uint64_t container) {
  return {std::max(config::kMemoryLimitMin, whole_mebibytes(percent_of(container, kLimitPercent)))};
}

// A request must fit twice: JSON needs room for the text and for what it becomes, and a request
// that is split by partition for the total and its parts.
void add_body_shares(std::uint64_t budget, Json& limits) {
  set_missing(limits, "body_bytes_max",
              std::min(kBodyBytes, std::max(kMiB, whole_mebibytes(budget / 2))));
  const std::uint64_t body = size_at(limits, "body_bytes_max", kBodyBytes);
  set_missing(limits, "compressed_bytes_max", std::min(kCompressedBytes, body));
}

void add_exporter_shares(std::uint64_t budget, Json& config) {
  set_missing(config["otlp"], "message_bytes_max",
              std::min(kBodyBytes, std::max(kMiB, whole_mebibytes(budget))));
  const std::uint64_t message = size_at(config, "otlp/message_bytes_max", kBodyBytes);
  set_missing(config["otlp"], "compressed_bytes_max", std::min(kCompressedBytes, message));
}

// One consumer may be assigned all partitions, so the prefetch shrinks with their number.
void add_prefetch_shares(std::uint64_t container, Json& config) {
  Json& consumer = config["consumer"];
  const auto partitions = static_cast<std::uint64_t>(
      std::max<std::int64_t>(1, kube::int_at(consumer, "partitions_max", 1)));
  const std::uint64_t each = percent_of(container, kPrefetchPercent) / partitions / 2;
  const std::uint64_t share = std::clamp(each / 1024 * 1024, kPrefetchBytesMin, kPrefetchBytes);
  set_missing(consumer, "prefetch_bytes_max", share);
  set_missing(consumer, "partition_fetch_bytes_max", share);
}

void add_query_shares(std::uint64_t budget, Json& config) {
  set_missing(config["limits"], "query_memory",
              std::min(kQueryBytes, std::max(kMiB, whole_mebibytes(budget / 4))));
}

}  // namespace

Json container_resources(const ComponentSpec& spec) {
  if (spec.pods->resources.is_object()) return spec.pods->resources;
  return {{"requests", {{"cpu", "100m"}, {"memory", "128Mi"}}}, {"limits", {{"memory", "512Mi"}}}};
}

std::uint64_t container_memory(const ComponentSpec& spec) {
  const Json resources = container_resources(spec);
  const Json* limit = kube::find(resources, "limits/memory");
  if (limit == nullptr) return kDefaultContainerMemory;
  const auto bytes = limit->is_number() ? std::optional(limit->get<double>())
                     : limit->is_string()
                         ? kube::parse_quantity(limit->get_ref<const std::string&>())
                         : std::nullopt;
  constexpr double kSane = 0x1p50;
  if (!bytes || *bytes < 0 || *bytes > kSane) return kDefaultContainerMemory;
  return static_cast<std::uint64_t>(*bytes);
}

void add_memory_shares(const ComponentSpec& spec, Json& config) {
  const std::uint64_t container = container_memory(spec);
  const config::ByteSize limit = limit_of(container);
  config["memory_limit"] = size_text(limit.bytes);
  switch (spec.id.role) {
    case Role::kIngress:
      return add_body_shares(config::request_budget(limit, 0), config["limits"]);
    case Role::kExporter:
      return add_exporter_shares(config::request_budget(limit, 0), config);
    case Role::kConsumer:
      return add_prefetch_shares(container, config);
    case Role::kQuery:
      return add_query_shares(config::request_budget(limit, 0), config);
    case Role::kBridge:
      return add_body_shares(config::request_budget(limit, kafka_bridge::kProducerBytes),
                             config["limits"]);
  }
}

}  // namespace spanway::render
