#include "operator/decide/rendering_digest.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::reconcile {
namespace {

using kube::Json;
using render::Component;
using render::Manifest;
using render::Rendering;

// [place of the kind, name, fingerprint] and, of a workload, its replicas: null when somebody else
// has them.
Json outline_of(const Manifest& manifest) {
  const auto kinds = render::rendered_kinds();
  const auto kind = std::find(kinds.begin(), kinds.end(), manifest.type);
  SPANWAY_CHECK(kind != kinds.end());
  return Json::array({std::distance(kinds.begin(), kind), manifest.key().name,
                      kube::fingerprint(manifest.object)});
}

Json outline_of(const std::vector<Manifest>& manifests) {
  Json list = Json::array();
  for (const Manifest& manifest : manifests) list.push_back(outline_of(manifest));
  return list;
}

Json part_of(const Manifest& manifest, const char* path) {
  const Json* found = kube::find(manifest.object, path);
  return found == nullptr ? Json() : *found;
}

Json outline_of(const Component& component) {
  Json workload = outline_of(component.workload);
  workload.push_back(part_of(component.workload, "spec/replicas"));
  if (component.id.role == render::Role::kIngress)
    workload.push_back(part_of(component.workload, "spec/selector"));
  return {{"role", component.id.role},       {"exporter", component.id.exporter},
          {"revision", component.revision},  {"support", outline_of(component.support)},
          {"workload", std::move(workload)}, {"canary", outline_of(component.canary)},
          {"replicas", component.replicas},  {"elsewhere", component.replicas_elsewhere},
          {"stateful", component.stateful}};
}

Manifest read_manifest(const Json& outline, const std::string& name_space) {
  Manifest manifest;
  manifest.type = render::rendered_kinds()[outline.at(0).get<std::size_t>()];
  manifest.object = {{"apiVersion", manifest.type.api_version()},
                     {"kind", manifest.type.kind},
                     {"metadata",
                      {{"name", outline.at(1)},
                       {"namespace", name_space},
                       {"annotations", {{api::kIntentAnnotation, outline.at(2)}}}}}};
  if (outline.size() > 3) {
    Json& spec = manifest.object["spec"] = Json::object();
    if (!outline[3].is_null()) spec["replicas"] = outline[3];
    if (outline.size() > 4) spec["selector"] = outline[4];
  }
  return manifest;
}

std::vector<Manifest> read_manifests(const Json& outlines, const std::string& name_space) {
  std::vector<Manifest> manifests;
  manifests.reserve(outlines.size());
  for (const Json& outline : outlines) manifests.push_back(read_manifest(outline, name_space));
  return manifests;
}

Component read_component(const Json& outline, const std::string& name_space) {
  Component component;
  component.id = {outline.at("role").get<render::Role>(), outline.at("exporter")};
  component.revision = outline.at("revision");
  component.support = read_manifests(outline.at("support"), name_space);
  component.workload = read_manifest(outline.at("workload"), name_space);
  component.canary = read_manifest(outline.at("canary"), name_space);
  component.replicas = outline.at("replicas");
  component.replicas_elsewhere = outline.at("elsewhere");
  component.stateful = outline.at("stateful");
  return component;
}

}  // namespace

std::string outline_of(const Rendering& rendering) {
  Json outline = {{"revision", rendering.revision},
                  {"shared", outline_of(rendering.shared)},
                  {"components", Json::array()}};
  for (const Component& component : rendering.components) {
    outline["namespace"] = component.workload.key().name_space;
    outline["components"].push_back(outline_of(component));
  }
  if (rendering.topics_job) outline["topics"] = outline_of(*rendering.topics_job);
  std::string text = kube::to_text(outline);
  text.shrink_to_fit();
  return text;
}

Rendering read_outline(const std::string& text) {
  const auto outline = kube::parse_json(text);
  SPANWAY_CHECK(outline.ok());
  const std::string name_space = kube::string_at(*outline, "namespace");
  Rendering rendering;
  rendering.revision = kube::string_at(*outline, "revision");
  rendering.shared = read_manifests(outline->at("shared"), name_space);
  for (const Json& component : outline->at("components"))
    rendering.components.push_back(read_component(component, name_space));
  if (const Json* topics = kube::find(*outline, "topics"))
    rendering.topics_job = read_manifest(*topics, name_space);
  return rendering;
}

}  // namespace spanway::reconcile
