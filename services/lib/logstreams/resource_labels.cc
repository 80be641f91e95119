#include "services/lib/logstreams/resource_labels.h"

#include <algorithm>
#include <array>

#include "services/lib/base/hex.h"
#include "services/lib/logstreams/label_name.h"
#include "services/lib/logstreams/value_text.h"

namespace spanway::logstreams {
namespace {

constexpr std::string_view kServiceKey = "service.name";
constexpr std::string_view kServiceLabel = "service_name";
constexpr const char* kUnknownService = "unknown_service";
// Loki's default of limits_config.discover_service_name.
constexpr std::array<std::string_view, 13> kServiceNames = {"service_name",
                                                            "app",
                                                            "application",
                                                            "app_name",
                                                            "name",
                                                            "app_kubernetes_io_name",
                                                            "container",
                                                            "container_name",
                                                            "k8s_container_name",
                                                            "component",
                                                            "workload",
                                                            "job",
                                                            "k8s_job_name"};

void append_flat_at(std::string name, const otlp::ValueView& value, int depth,
                    std::vector<NameAndValue>& out) {
  if (value.kind != otlp::ValueKind::kKvlist || depth > otlp::kValueDepthMax) {
    std::string text;
    append_text(value, text);
    out.emplace_back(std::move(name), std::move(text));
    return;
  }
  otlp::KvlistReader list(value.text);
  while (const auto entry = list.next())
    append_flat_at(label_name(name + "_" + std::string(entry->key)), entry->value, depth + 1, out);
}

bool may_be_label(const ResourceLabels& result, const NameAndValue& pair) {
  if (pair.second.size() > kLabelValueBytesMax || pair.first.size() > kLabelNameBytesMax)
    return false;
  // Loki does not count service_name.
  const std::size_t counted =
      result.labels.size() - result.labels.count(std::string(kServiceLabel));
  return pair.first == kServiceLabel || result.labels.contains(pair.first) || counted < kLabelsMax;
}

bool has_service_name(const otlp::ResourceView& resource) {
  const otlp::AttributeView* attribute = otlp::find_attribute(resource.attributes, kServiceKey);
  std::string text;
  if (attribute != nullptr) append_text(attribute->value, text);
  return !text.empty();
}

}  // namespace

void append_flat(std::string_view key, const otlp::ValueView& value,
                 std::vector<NameAndValue>& out) {
  append_flat_at(label_name(key), value, 0, out);
}

ResourceLabels resource_labels(const otlp::ResourceView& resource,
                               const std::vector<std::string>& keys) {
  ResourceLabels result;
  bool has_service = has_service_name(resource);
  std::string found_service;
  std::vector<NameAndValue> pairs;
  for (const otlp::AttributeView& attribute : resource.attributes) {
    pairs.clear();
    append_flat(attribute.key, attribute.value, pairs);
    const bool is_listed = std::find(keys.begin(), keys.end(), attribute.key) != keys.end();
    for (NameAndValue& pair : pairs) {
      if (!is_listed || !may_be_label(result, pair)) {
        result.metadata.push_back(std::move(pair));
        continue;
      }
      const bool names_service =
          std::find(kServiceNames.begin(), kServiceNames.end(), pair.first) != kServiceNames.end();
      if (!has_service && names_service && !pair.second.empty()) {
        found_service = pair.second;
        has_service = true;
      }
      if (!pair.second.empty()) result.labels.insert_or_assign(pair.first, std::move(pair.second));
    }
  }
  if (!found_service.empty())
    result.labels.insert_or_assign(std::string(kServiceLabel), found_service);
  if (!has_service || result.labels.empty())
    result.labels.insert_or_assign(std::string(kServiceLabel), kUnknownService);
  return result;
}

std::string label_text(const std::map<std::string, std::string>& labels) {
  std::string text = "{";
  for (const auto& [name, value] : labels) {
    if (text.size() > 1) text += ", ";
    text += name + "=\"";
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        text += '\\';
        text += c;
      } else if (byte < 0x20 || byte == 0x7f) {
        text += "\\x";
        append_hex(text, c);
      } else {
        text += c;
      }
    }
    text += '"';
  }
  return text + "}";
}

}  // namespace spanway::logstreams
