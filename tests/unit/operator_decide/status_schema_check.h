// Checks that the API server would keep a status as it is: what the schema does not know it prunes
// without a word, and what the schema forbids it refuses.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "operator/json/json.h"

namespace spanway::decide {

struct SchemaFindings {
  std::vector<std::string> problems;
  std::set<std::string> seen;  // Paths of fields that are there: "components[].name".
};
// Adds to `findings` what `value` has and what is wrong with it.
void check_schema(const kube::Json& value, const kube::Json& schema, const std::string& path,
                  SchemaFindings& findings);
// Paths of all fields that the schema knows.
std::set<std::string> fields_of(const kube::Json& schema, const std::string& path);

}  // namespace spanway::decide
