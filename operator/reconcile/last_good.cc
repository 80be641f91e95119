#include "operator/reconcile/last_good.h"

#include "operator/api/declaration.h"
#include "operator/decide/job_ending.h"

namespace spanway::reconcile {
namespace {

constexpr std::size_t kBytesMax = 1u << 20;

// Only what rendering reads: another annotation must not change the ConfigMap.
Json kept_annotations(const Json& pipeline) {
  Json kept = Json::object();
  const Json* all = kube::find(pipeline, "metadata/annotations");
  if (all == nullptr || !all->is_object()) return kept;
  for (const char* name : {api::kRestartAnnotation}) {
    if (all->contains(name)) kept[name] = (*all)[name];
  }
  return kept;
}

Json content_of(const Json& pipeline, const render::ClusterFacts& facts) {
  Json identities = Json::object();
  for (const auto& [name, identity] : facts.secret_identities) identities[name] = identity;
  return {{"annotations", kept_annotations(pipeline)},
          {"spec", pipeline.value("spec", Json::object())},
          {"version", facts.version},
          {"imageRepository", facts.image_repository},
          {"secretIdentities", identities}};
}

std::optional<Json> content_in(const std::optional<Json>& config_map) {
  if (!config_map) return std::nullopt;
  auto content = kube::parse_json(kube::string_at(*config_map, "data/pipeline.json"), kBytesMax);
  if (!content.ok() || !content->is_object()) return std::nullopt;
  return std::move(content).value();
}

// The record of one component.
Json recorded_of(const Json& content, const std::string& component) {
  if (const Json* earlier = kube::find(content, "earlier");
      earlier != nullptr && earlier->is_object() && earlier->contains(component))
    return (*earlier)[component];
  Json latest = content;
  latest.erase("earlier");
  return latest;
}

std::optional<GoodSpec> read_spec(const Json& content, const Json& pipeline,
                                  const render::ClusterFacts& now) {
  Json object = {{"apiVersion", kube::kPipelines.api_version()},
                 {"kind", kube::kPipelines.kind},
                 {"metadata", pipeline.value("metadata", Json::object())},
                 {"spec", content.value("spec", Json::object())}};
  object["metadata"]["annotations"] = content.value("annotations", Json::object());
  config::Problems problems;
  GoodSpec spec{object, api::read(object, problems), now};
  // An older operator's spec that this one refuses.
  if (!problems.empty()) return std::nullopt;
  spec.facts.version = kube::string_at(content, "version", now.version);
  spec.facts.image_repository = kube::string_at(content, "imageRepository", now.image_repository);
  spec.facts.secret_identities.clear();
  if (const Json* identities = kube::find(content, "secretIdentities");
      identities != nullptr && identities->is_object()) {
    for (const auto& [name, identity] : identities->items()) {
      if (identity.is_string()) spec.facts.secret_identities[name] = identity.get<std::string>();
    }
  }
  return spec;
}

render::Manifest config_map_of(const Json& pipeline, std::string content) {
  const kube::ObjectKey key{kube::string_at(pipeline, "metadata/namespace"),
                            kube::string_at(pipeline, "metadata/name")};
  const Json owner = {{"apiVersion", kube::kPipelines.api_version()},
                      {"kind", kube::kPipelines.kind},
                      {"name", key.name},
                      {"uid", kube::string_at(pipeline, "metadata/uid")},
                      {"controller", true},
                      {"blockOwnerDeletion", true}};
  return {
      kube::kConfigMaps,
      {{"apiVersion", "v1"},
       {"kind", "ConfigMap"},
       {"metadata",
        {{"name", last_good_key(key).name},
         {"namespace", key.name_space},
         {"labels",
          {{"app.kubernetes.io/managed-by", "spanway-operator"}, {api::kPipelineLabel, key.name}}},
         {"ownerReferences", Json::array({owner})}}},
       {"data", {{"pipeline.json", std::move(content)}}}}};
}

}  // namespace

kube::ObjectKey last_good_key(const kube::ObjectKey& pipeline) {
  return {pipeline.name_space, pipeline.name + "-last-good"};
}

render::Manifest last_good_manifest(const Json& pipeline, const render::ClusterFacts& facts,
                                    const std::set<std::string>& keep,
                                    const std::optional<Json>& stored) {
  Json content = content_of(pipeline, facts);
  if (const std::optional<Json> before = keep.empty() ? std::nullopt : content_in(stored)) {
    for (const std::string& name : keep) content["earlier"][name] = recorded_of(*before, name);
  }
  return config_map_of(pipeline, kube::to_text(content));
}

render::Manifest adopted_last_good(const Json& pipeline, const Json& stored) {
  return config_map_of(pipeline, kube::string_at(stored, "data/pipeline.json"));
}

std::optional<RecordedVersion> read_recorded(const std::optional<Json>& config_map) {
  const std::optional<Json> content = content_in(config_map);
  if (!content) return std::nullopt;
  const std::string version = kube::string_at(*content, "version");
  if (version.empty()) return std::nullopt;
  return RecordedVersion{version, kube::string_at(*content, "imageRepository"),
                         kube::fingerprint(content->value("spec", Json::object())),
                         decide::has_no_owner(*config_map)};
}

std::optional<LastGood> read_last_good(const std::optional<Json>& config_map, const Json& pipeline,
                                       const render::ClusterFacts& now) {
  const std::optional<Json> content = content_in(config_map);
  if (!content) return std::nullopt;
  std::optional<GoodSpec> all = read_spec(*content, pipeline, now);
  if (!all) return std::nullopt;
  LastGood last{std::move(*all), {}};
  if (const Json* earlier = kube::find(*content, "earlier");
      earlier != nullptr && earlier->is_object()) {
    for (const auto& [name, one] : earlier->items())
      if (auto spec = read_spec(one, pipeline, now)) last.earlier.emplace(name, std::move(*spec));
  }
  return last;
}

render::Rendering render_last_good(const LastGood& last_good) {
  render::Rendering out = render::render(last_good.pipeline, last_good.facts);
  std::map<std::string, std::string> revisions;
  for (render::Component& component : out.components) {
    const std::string name = component.workload.key().name;
    if (const auto earlier = last_good.earlier.find(name); earlier != last_good.earlier.end()) {
      render::Rendering then = render::render(earlier->second.pipeline, earlier->second.facts);
      for (render::Component& one : then.components)
        if (one.id == component.id) component = std::move(one);
    }
    revisions[name] = component.revision;
  }
  out.revision = render::revision_of(revisions);
  return out;
}

}  // namespace spanway::reconcile
