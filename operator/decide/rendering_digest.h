// A rendering without its objects, reduced to what decisions need: small enough to be cached for
// every Pipeline, so that reconciling an unchanged one renders nothing.
#pragma once

#include <string>

#include "operator/render/render.h"

namespace spanway::decide {

// As text, about a hundred bytes for each object.
std::string rendering_digest(const render::Rendering& rendering);

// The rendering that `digest` was made of, with what is left of its objects: apiVersion, kind,
// name, namespace, spec.replicas, the ingress's selector, and the fingerprint of the whole object
// in the annotation api::kIntentAnnotation. decide(), observe(), desired_objects(), make_status()
// and all else that decides come to the same with either; what is applied must be complete.
// `digest` comes from rendering_digest().
render::Rendering read_rendering_digest(const std::string& digest);

}  // namespace spanway::decide
