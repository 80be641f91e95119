#include "operator/render/object_parts.h"

namespace spanway::render {
namespace {

constexpr std::size_t kLabelValueMax = 63;
constexpr std::size_t kHashDigits = 8;
constexpr char kDefaultTag[] = "latest";

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// A label's value: 63 of [A-Za-z0-9._-], letters or digits at both ends.
std::string label_value(std::string text) {
  for (char& c : text) {
    if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-') c = '-';
  }
  if (text.size() > kLabelValueMax) text.resize(kLabelValueMax);
  while (!text.empty() && !is_alphanumeric(text.back())) text.pop_back();
  while (!text.empty() && !is_alphanumeric(text.front())) text.erase(0, 1);
  return text;
}

std::string version_of(const Context& context) {
  const api::Image& image = context.pipeline.spec.image;
  if (!image.tag.empty()) return image.tag;
  return context.facts.version.empty() ? kDefaultTag : context.facts.version;
}

}  // namespace

kube::ObjectKey Manifest::key() const {
  return {kube::string_at(object, "metadata/namespace"), kube::string_at(object, "metadata/name")};
}

std::string image_of(const Context& context) {
  const api::Image& image = context.pipeline.spec.image;
  const std::string repository =
      image.repository.empty() ? context.facts.image_repository : image.repository;
  if (!image.digest.empty()) return repository + "@" + image.digest;
  return repository + ":" + version_of(context);
}

Json common_labels(const Context& context, std::string_view component) {
  Json labels = {{"app.kubernetes.io/name", "spanway"},
                 {"app.kubernetes.io/instance", label_value(context.pipeline.name)},
                 {"app.kubernetes.io/part-of", "spanway"},
                 {"app.kubernetes.io/managed-by", "spanway-operator"},
                 {"app.kubernetes.io/version", label_value(version_of(context))},
                 {api::kPipelineLabel, label_value(context.pipeline.name)}};
  if (!component.empty()) {
    labels["app.kubernetes.io/component"] = component;
    labels[api::kComponentLabel] = component;
  }
  return labels;
}

Json component_labels(const Context& context, const ComponentSpec& spec) {
  Json labels = common_labels(context, to_string(spec.id.role));
  if (!spec.id.exporter.empty()) labels[api::kExporterLabel] = spec.id.exporter;
  return labels;
}

Json component_selector(const Context& context, const ComponentSpec& spec) {
  Json selector = {{api::kPipelineLabel, label_value(context.pipeline.name)},
                   {api::kComponentLabel, to_string(spec.id.role)}};
  if (!spec.id.exporter.empty()) selector[api::kExporterLabel] = spec.id.exporter;
  return selector;
}

Json track_selector(const Context& context, const ComponentSpec& spec, std::string_view track) {
  Json selector = component_selector(context, spec);
  selector[api::kTrackLabel] = track;
  return selector;
}

Manifest make_manifest(const Context& context, const kube::ResourceType& type, std::string name,
                       Json labels) {
  Json object;
  object["apiVersion"] = type.api_version();
  object["kind"] = type.kind;
  Json& metadata = object["metadata"];
  metadata["name"] = std::move(name);
  metadata["namespace"] = context.pipeline.name_space;
  metadata["labels"] = std::move(labels);
  // A Pipeline from a file has no uid; without owners its objects can still be applied.
  if (context.pipeline.uid.empty()) return {type, std::move(object)};
  metadata["ownerReferences"] = Json::array({Json{{"apiVersion", kube::kPipelines.api_version()},
                                                  {"kind", kube::kPipelines.kind},
                                                  {"name", context.pipeline.name},
                                                  {"uid", context.pipeline.uid},
                                                  {"controller", true},
                                                  {"blockOwnerDeletion", true}}});
  return {type, std::move(object)};
}

Manifest config_map(const Context& context, const std::string& base, const std::string& file,
                    Json labels) {
  const std::string hash = kube::fingerprint(file).substr(0, kHashDigits);
  Manifest manifest =
      make_manifest(context, kube::kConfigMaps, base + "-" + hash, std::move(labels));
  manifest.object["immutable"] = true;
  manifest.object["data"][kConfigKey] = file;
  return manifest;
}

Manifest service_account(const Context& context, std::string name, Json labels) {
  Manifest manifest =
      make_manifest(context, kube::kServiceAccounts, std::move(name), std::move(labels));
  manifest.object["automountServiceAccountToken"] = false;
  return manifest;
}

}  // namespace spanway::render
