#include "operator/reconcile/last_good.h"

#include "operator/api/declaration.h"

namespace spanway::reconcile {
namespace {

constexpr std::size_t kBytesMax = 1u << 20;

// Only what rendering looks at: an annotation of somebody else must not change the ConfigMap.
Json kept_annotations(const Json& pipeline) {
  Json kept = Json::object();
  const Json* all = kube::find(pipeline, "metadata/annotations");
  if (all == nullptr || !all->is_object()) return kept;
  for (const char* name : {api::kRestartAnnotation}) {
    if (all->contains(name)) kept[name] = (*all)[name];
  }
  return kept;
}

}  // namespace

kube::ObjectKey last_good_key(const kube::ObjectKey& pipeline) {
  return {pipeline.name_space, pipeline.name + "-last-good"};
}

render::Manifest last_good_manifest(const Json& pipeline, const render::ClusterFacts& facts) {
  const kube::ObjectKey key{kube::string_at(pipeline, "metadata/namespace"),
                            kube::string_at(pipeline, "metadata/name")};
  Json identities = Json::object();
  for (const auto& [name, identity] : facts.secret_identities) identities[name] = identity;
  const Json content = {{"annotations", kept_annotations(pipeline)},
                        {"spec", pipeline.value("spec", Json::object())},
                        {"version", facts.version},
                        {"imageRepository", facts.image_repository},
                        {"secretIdentities", identities}};
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
       {"data", {{"pipeline.json", kube::to_text(content)}}}}};
}

std::optional<RecordedVersion> read_recorded(const std::optional<Json>& config_map) {
  if (!config_map) return std::nullopt;
  const auto content =
      kube::parse_json(kube::string_at(*config_map, "data/pipeline.json"), kBytesMax);
  if (!content.ok() || !content->is_object()) return std::nullopt;
  const std::string version = kube::string_at(*content, "version");
  if (version.empty()) return std::nullopt;
  return RecordedVersion{version, kube::string_at(*content, "imageRepository"),
                         kube::fingerprint(content->value("spec", Json::object()))};
}

std::optional<LastGood> read_last_good(const std::optional<Json>& config_map, const Json& pipeline,
                                       const render::ClusterFacts& now) {
  if (!config_map) return std::nullopt;
  const auto content =
      kube::parse_json(kube::string_at(*config_map, "data/pipeline.json"), kBytesMax);
  if (!content.ok() || !content->is_object()) return std::nullopt;
  Json object = {{"apiVersion", kube::kPipelines.api_version()},
                 {"kind", kube::kPipelines.kind},
                 {"metadata", pipeline.value("metadata", Json::object())},
                 {"spec", content->value("spec", Json::object())}};
  object["metadata"]["annotations"] = content->value("annotations", Json::object());
  config::Problems problems;
  LastGood last{object, api::read(object, problems), now};
  // An older operator's spec that this one refuses.
  if (!problems.empty()) return std::nullopt;
  last.facts.version = kube::string_at(*content, "version", now.version);
  last.facts.image_repository = kube::string_at(*content, "imageRepository", now.image_repository);
  last.facts.secret_identities.clear();
  if (const Json* identities = kube::find(*content, "secretIdentities");
      identities != nullptr && identities->is_object()) {
    for (const auto& [name, identity] : identities->items()) {
      if (identity.is_string()) last.facts.secret_identities[name] = identity.get<std::string>();
    }
  }
  return last;
}

}  // namespace spanway::reconcile
