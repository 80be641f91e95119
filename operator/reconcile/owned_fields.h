// Fields that decide what runs or where traffic goes are owned completely: server-side apply leaves
// keys and list items of other managers in place, and here they are found and taken out.
#pragma once

#include <string>
#include <vector>

#include "operator/json/json.h"
#include "operator/k8s/resource.h"

namespace spanway::reconcile {

using kube::Json;

// Paths in `live` ("spec/template/spec/containers/0/env/3", slashes in keys as ~1) of what is in
// the owned fields and not in `desired`: selectors, ports, environment, mounts, containers,
// placement, DNS, which endpoints a Service chooses, spec.paused, spec.minReadySeconds,
// spec.suspend. Empty values and fields that the server defaults are none.
// In the order in which remove_fields() can take them out backwards.
std::vector<std::string> foreign_fields(const kube::ResourceType& type, const Json& live,
                                        const Json& desired);

// `object` without these fields.
Json remove_fields(Json object, const std::vector<std::string>& paths);

// The path for people: list items by their name ("spec/template/spec/containers/ingress/env/FOO").
std::string readable_path(const Json& object, std::string_view path);

}  // namespace spanway::reconcile
