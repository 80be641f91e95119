// The desired and the last good rendering of one reconciliation: as digests at once, in full only
// when an object must be written.
#pragma once

#include <atomic>
#include <optional>

#include "operator/decide/desired_objects.h"
#include "operator/reconcile/applier.h"
#include "operator/reconcile/pipeline_inputs.h"
#include "operator/reconcile/rendering_cache.h"

namespace spanway::reconcile {

// External lock: of one reconciliation. All that is given outlives it.
class Rendered {
 public:
  struct Deps {
    const Applier& applier;
    const render::ClusterFacts& facts;
    std::atomic<std::size_t>& renderings;  // Counts full renderings.
  };
  // Renders when the cache is of other inputs, and keeps the digests there.
  Rendered(const Deps& deps, Inputs& inputs, RenderingCache& cache);

  const render::Rendering& desired() const { return desired_; }
  const render::Rendering* last_good() const { return last_good_ ? &*last_good_ : nullptr; }

  // Renders in full, once. An error when the last good spec is no longer the one that this
  // reconciliation has decided with.
  Status render_in_full();
  // The object in full of which `digest` is the digest; it lives as long as this.
  Result<const render::Manifest*> manifest(const render::Manifest& digest,
                                           const decide::RolloutDecision& decision);

 private:
  void render();

  const Deps deps_;
  Inputs& inputs_;
  render::Rendering desired_;
  std::optional<render::Rendering> last_good_;
  std::optional<FullRendering> full_;
  std::optional<decide::DesiredObjects> full_objects_;
};

}  // namespace spanway::reconcile
