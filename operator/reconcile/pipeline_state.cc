#include "operator/reconcile/pipeline_state.h"

namespace spanway::reconcile {

const Json& status_of(const Json& pipeline) {
  static const Json kNothing = Json::object();
  const auto found = pipeline.find("status");
  return found == pipeline.end() || !found->is_object() ? kNothing : *found;
}

}  // namespace spanway::reconcile
