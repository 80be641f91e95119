// JSON values as YAML, for people and for files under version control. Reading YAML is
// api::parse_yaml.
#pragma once

#include <string>

#include "operator/json/json.h"

namespace spanway::api {

// One document in block style, keys sorted, ending with a line break: equal values give equal text.
std::string to_yaml(const kube::Json& value);

}  // namespace spanway::api
