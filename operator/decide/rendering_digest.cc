#include "operator/decide/rendering_digest.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::decide {
namespace {

using kube::Json;
using render::Component;
using render::Manifest;
using render::Rendering;

// [place of the kind, name, fingerprint] and, of a workload, its replicas: null when another owner
// has them.
Json rendering_digest(const Manifest& manifest) {
  const auto kinds = render::rendered_kinds();
  const auto kind = std::find(kinds.begin(), kinds.end(), manifest.type);
  SPANWAY_CHECK(kind != kinds.end());
  return Json::array({std::distance(kinds.begin(), kind), manifest.key().name,
                      kube::fingerprint(manifest.object)});
}

Json rendering_digest(const std::vector<Manifest>& manifests) {
  Json list = Json::array();
  for (const Manifest& manifest : manifests) list.push_back(rendering_digest(manifest));
  return list;
}

Json part_of(const Manifest& manifest, const char* path) {
  const Json* found = kube::find(manifest.object, path);
  return found == nullptr ? Json() : *found;
}

Json rendering_digest(const Component& component) {
  Json workload = rendering_digest(component.workload);
  workload.push_back(part_of(component.workload, "spec/replicas"));
  if (component.id.role == render::Role::kIngress)
    workload.push_back(part_of(component.workload, "spec/selector"));
  return {{"role", component.id.role},       {"exporter", component.id.exporter},
          {"revision", component.revision},  {"support", rendering_digest(component.support)},
          {"workload", std::move(workload)}, {"canary", rendering_digest(component.canary)},
          {"replicas", component.replicas},  {"elsewhere", component.replicas_elsewhere},
          {"stateful", component.stateful}};
}

Manifest read_manifest(const Json& digest, const std::string& name_space) {
  Manifest manifest;
  manifest.type = render::rendered_kinds()[digest.at(0).get<std::size_t>()];
  manifest.object = {{"apiVersion", manifest.type.api_version()},
                     {"kind", manifest.type.kind},
                     {"metadata",
                      {{"name", digest.at(1)},
                       {"namespace", name_space},
                       {"annotations", {{api::kIntentAnnotation, digest.at(2)}}}}}};
  if (digest.size() > 3) {
    Json& spec = manifest.object["spec"] = Json::object();
    if (!digest[3].is_null()) spec["replicas"] = digest[3];
    if (digest.size() > 4) spec["selector"] = digest[4];
  }
  return manifest;
}

std::vector<Manifest> read_manifests(const Json& digests, const std::string& name_space) {
  std::vector<Manifest> manifests;
  manifests.reserve(digests.size());
  for (const Json& digest : digests) manifests.push_back(read_manifest(digest, name_space));
  return manifests;
}

Component read_component(const Json& digest, const std::string& name_space) {
  Component component;
  component.id = {digest.at("role").get<render::Role>(), digest.at("exporter")};
  component.revision = digest.at("revision");
  component.support = read_manifests(digest.at("support"), name_space);
  component.workload = read_manifest(digest.at("workload"), name_space);
  component.canary = read_manifest(digest.at("canary"), name_space);
  component.replicas = digest.at("replicas");
  component.replicas_elsewhere = digest.at("elsewhere");
  component.stateful = digest.at("stateful");
  return component;
}

}  // namespace

std::string rendering_digest(const Rendering& rendering) {
  Json digest = {{"revision", rendering.revision},
                 {"shared", rendering_digest(rendering.shared)},
                 {"components", Json::array()}};
  for (const Component& component : rendering.components) {
    digest["namespace"] = component.workload.key().name_space;
    digest["components"].push_back(rendering_digest(component));
  }
  if (rendering.topics_job) digest["topics"] = rendering_digest(*rendering.topics_job);
  for (const render::MigrateJob& migrate : rendering.migrate_jobs)
    digest["migrate"].push_back(
        {{"exporter", migrate.exporter}, {"job", rendering_digest(migrate.job)}});
  std::string text = kube::to_text(digest);
  text.shrink_to_fit();
  return text;
}

Rendering read_rendering_digest(const std::string& text) {
  const auto digest = kube::parse_json(text);
  SPANWAY_CHECK(digest.ok());
  const std::string name_space = kube::string_at(*digest, "namespace");
  Rendering rendering;
  rendering.revision = kube::string_at(*digest, "revision");
  rendering.shared = read_manifests(digest->at("shared"), name_space);
  for (const Json& component : digest->at("components"))
    rendering.components.push_back(read_component(component, name_space));
  if (const Json* topics = kube::find(*digest, "topics"))
    rendering.topics_job = read_manifest(*topics, name_space);
  if (const Json* all = kube::find(*digest, "migrate"); all != nullptr)
    for (const Json& one : *all)
      rendering.migrate_jobs.push_back(
          {one.at("exporter"), read_manifest(one.at("job"), name_space)});
  return rendering;
}

}  // namespace spanway::decide
