#include "operator/reconcile/pipeline_state.h"

#include "operator/api/pipeline.h"

namespace spanway::reconcile {

const Json& status_of(const Json& pipeline) {
  static const Json kNothing = Json::object();
  const auto found = pipeline.find("status");
  return found == pipeline.end() || !found->is_object() ? kNothing : *found;
}

bool is_paused(const Json& pipeline) {
  const Json* annotations = kube::find(pipeline, "metadata/annotations");
  return kube::bool_at(pipeline, "spec/paused") ||
         (annotations != nullptr && annotations->is_object() &&
          annotations->value(api::kPauseAnnotation, Json()) == "true");
}

}  // namespace spanway::reconcile
