// The last spec of a Pipeline that ran well, with everything else its pods were rendered from, and
// for components that have not proven themselves in it the earlier spec in which they had: kept in
// the
// ConfigMap "<pipeline>-last-good", so that an operator that restarts can still go back to it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "operator/api/pipeline.h"
#include "operator/render/render.h"

namespace spanway::reconcile {

using kube::Json;

struct GoodSpec {
  Json object;  // The recorded spec and annotations under the live metadata.
  api::Pipeline pipeline;
  // Those of then: another version of the operator or of a Secret must not restart pods that run
  // the last good configuration.
  render::ClusterFacts facts;
};
struct LastGood : GoodSpec {
  std::map<std::string, GoodSpec> earlier;  // By object name of the component.
};
// Each component of the spec that it has proven itself in.
render::Rendering render_last_good(const LastGood& last_good);

kube::ObjectKey last_good_key(const kube::ObjectKey& pipeline);
// `pipeline` is the live object whose spec is to be kept. Of the components `keep` (object names)
// what `stored`, the present ConfigMap, holds stays.
render::Manifest last_good_manifest(const Json& pipeline, const render::ClusterFacts& facts,
                                    const std::set<std::string>& keep = {},
                                    const std::optional<Json>& stored = {});
// The same content with this Pipeline as its owner.
render::Manifest adopted_last_good(const Json& pipeline, const Json& stored);
// By which operator it was recorded.
struct RecordedVersion {
  std::string version;
  std::string image_repository;
  std::string spec;  // Its fingerprint.
  // Left by a Pipeline of the same name that was deleted with --cascade=orphan.
  bool is_orphan = false;
};
std::optional<RecordedVersion> read_recorded(const std::optional<Json>& config_map);

// From the ConfigMap and the live Pipeline's uid. `now` gives what is not kept: what the cluster
// serves. Nothing when there is none, or one that can no longer be read.
std::optional<LastGood> read_last_good(const std::optional<Json>& config_map, const Json& pipeline,
                                       const render::ClusterFacts& now);

}  // namespace spanway::reconcile
