// Caches a Pipeline's renderings between two reconciliations as digests in place of objects, and
// the live objects that match them: an unchanged Pipeline is not rendered, and a thousand Pipelines
// fit into memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/render/render.h"

namespace spanway::reconcile {

// Both renderings in full.
struct FullRendering {
  render::Rendering desired;
  std::optional<render::Rendering> last_good;
};

// External lock: of one Pipeline.
class RenderingCache {
 public:
  // A live object that matches its desired state.
  struct AppliedState {
    std::uint64_t digest = 0;   // Fingerprint of the desired object's digest.
    std::uint64_t content = 0;  // Applier::content_hash() of the live object.
    friend bool operator==(const AppliedState&, const AppliedState&) = default;
  };

  // True when it holds the renderings of these inputs.
  bool is_of(const std::string& fingerprint) const { return fingerprint_ == fingerprint; }
  void keep(std::string fingerprint, const FullRendering& full, std::string last_good_version);

  // Renderings whose objects are digests (operator/decide/rendering_digest.h).
  render::Rendering desired() const;
  std::optional<render::Rendering> last_good() const;
  // The version of the operator that recorded the last good spec; "" = there is none.
  const std::string& last_good_version() const { return last_good_version_; }

  bool is_applied(const AppliedState& state) const;
  // At most one for each desired object.
  void set_applied(std::vector<AppliedState> applied);

 private:
  std::string fingerprint_;
  std::string desired_;
  std::optional<std::string> last_good_;  // Empty = the same as `desired_`.
  std::string last_good_version_;
  std::vector<AppliedState> applied_;
};

}  // namespace spanway::reconcile
