// Reads a Pipeline's JSON into structs, and generates schema, CRD and docs from the declaration.
#pragma once

#include <string>

#include "operator/api/pipeline.h"
#include "services/lib/base/result.h"
#include "services/lib/config/binder.h"

namespace spanway::api {

// Reads an object of the API server or of a file. Fills in defaults; checks types, bounds,
// patterns, list keys and all CEL rules in C++ too: an older CRD and `plan -f` must refuse what the
// API server refuses. Unknown fields of the spec are problems. Paths are those of the resource:
// "spec.exporters[tempo].consumer.autoscaling.minReplicas". The pipeline is usable only when there
// are no problems.
Pipeline read(const kube::Json& object, config::Problems& problems);

// Rules between old and new (immutable names, partitions only grow), the same as the CEL
// transition rules.
void check_transition(const Pipeline& before, const Pipeline& after, config::Problems& problems);

// The CustomResourceDefinition to apply.
kube::Json crd();
// CRD.md: every field with type, default, bounds, rules, meaning.
std::string markdown();
// The JSON schema of `spec` for editors.
kube::Json json_schema();

// YAML with one or more documents to JSON values, for `plan -f` and `render -f`; anchors refused.
Result<std::vector<kube::Json>> parse_yaml(std::string_view text, std::string_view file_name);

}  // namespace spanway::api
