// JSON as block YAML that people can read in a ConfigMap and the services' loader reads back.
#pragma once

#include <string>

#include "operator/json/json.h"

namespace spanway::render {

// Every string is quoted, so that no text turns into a number or a boolean. Deterministic; ends in
// a newline.
std::string to_yaml(const kube::Json& value);

}  // namespace spanway::render
