// What decisions need of a rendering, without the objects themselves: small enough to be kept of
// every Pipeline, so that a look at one that rests renders nothing.
#pragma once

#include <string>

#include "operator/render/render.h"

namespace spanway::reconcile {

// As text, about a hundred bytes for each object.
std::string outline_of(const render::Rendering& rendering);

// The rendering that `outline` was made of, with what is left of its objects: apiVersion, kind,
// name, namespace, spec.replicas, the ingress's selector, and the fingerprint of the whole object
// in the annotation api::kIntentAnnotation. decide(), observe(), wanted_objects(), make_status()
// and all else that decides come to the same with either; what is applied must be whole. `outline`
// comes from outline_of().
render::Rendering read_outline(const std::string& outline);

}  // namespace spanway::reconcile
