#include "operator/reconcile/rendering_cache.h"

#include <algorithm>
#include <utility>

#include "operator/decide/rendering_digest.h"

namespace spanway::reconcile {

void RenderingCache::keep(std::string fingerprint, const FullRendering& full,
                          std::string last_good_version) {
  desired_ = decide::rendering_digest(full.desired);
  last_good_.reset();
  if (full.last_good) {
    last_good_ = decide::rendering_digest(*full.last_good);
    if (*last_good_ == desired_) last_good_ = std::string();
  }
  last_good_version_ = std::move(last_good_version);
  fingerprint_ = std::move(fingerprint);
}

render::Rendering RenderingCache::desired() const {
  return decide::read_rendering_digest(desired_);
}

std::optional<render::Rendering> RenderingCache::last_good() const {
  if (!last_good_) return std::nullopt;
  return decide::read_rendering_digest(last_good_->empty() ? desired_ : *last_good_);
}

bool RenderingCache::is_applied(const AppliedState& state) const {
  return std::find(applied_.begin(), applied_.end(), state) != applied_.end();
}

void RenderingCache::set_applied(std::vector<AppliedState> applied) {
  applied.shrink_to_fit();
  applied_ = std::move(applied);
}

}  // namespace spanway::reconcile
