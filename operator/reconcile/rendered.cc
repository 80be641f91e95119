#include "operator/reconcile/rendered.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::reconcile {

Rendered::Rendered(const Deps& deps, Inputs& inputs, RenderingCache& cache)
    : deps_(deps), inputs_(inputs) {
  if (!cache.is_of(inputs.fingerprint)) {
    render();
    cache.keep(inputs.fingerprint, *full_, inputs.last_good ? inputs.last_good->facts.version : "");
  }
  desired_ = cache.desired();
  last_good_ = cache.last_good();
}

void Rendered::render() {
  FullRendering& full = full_.emplace();
  if (inputs_.last_good) full.last_good = render_last_good(*inputs_.last_good);
  full.desired =
      inputs_.falls_back ? *full.last_good : render::render(inputs_.pipeline, inputs_.facts);
  ++deps_.renderings;
}

Status Rendered::render_in_full() {
  if (full_) return {};
  if (last_good_) {
    const std::optional<Json> stored =
        deps_.applier.live(kube::kConfigMaps, last_good_key(inputs_.key));
    if (!stored ||
        kube::string_at(*stored, "metadata/resourceVersion") != inputs_.last_good_version)
      return unavailable("the last good spec has changed just now");
    inputs_.last_good = read_last_good(stored, inputs_.object, deps_.facts);
  }
  render();
  return {};
}

Result<const render::Manifest*> Rendered::manifest(const render::Manifest& digest,
                                                   const decide::RolloutDecision& decision) {
  SPANWAY_TRY(render_in_full());
  const render::Rendering* last_good = full_->last_good ? &*full_->last_good : nullptr;
  if (!full_objects_) full_objects_ = desired_objects(full_->desired, last_good, decision);
  const kube::ObjectKey key = digest.key();
  const auto matches = [&](const render::Manifest& manifest) {
    return manifest.type == digest.type && manifest.key() == key;
  };
  for (const render::Rendering* rendering : {&std::as_const(full_->desired), last_good}) {
    if (rendering != nullptr && rendering->topics_job && matches(*rendering->topics_job))
      return &*rendering->topics_job;
    if (rendering == nullptr) continue;
    for (const render::MigrateJob& migrate : rendering->migrate_jobs)
      if (matches(migrate.job)) return &migrate.job;
  }
  for (const auto* manifests :
       {&full_objects_->support, &full_objects_->canaries, &full_objects_->workloads}) {
    const auto found = std::find_if(manifests->begin(), manifests->end(), matches);
    if (found != manifests->end()) return &*found;
  }
  count_bug("rendered.digest_without_object");
  return unavailable("no rendered object matches " + std::string(digest.type.kind) + " " +
                     key.name);
}

}  // namespace spanway::reconcile
