// Schemas from the declaration, for the API server and for editors.
#pragma once

#include <functional>

#include "operator/api/fields.h"

namespace spanway::api {

enum class SchemaDialect {
  // A structural schema of a CustomResourceDefinition: CEL rules, list types, defaults of objects.
  kKubernetes,
  // JSON Schema: unknown names are refused.
  kEditor,
};

// The schema of the object that `describe` describes.
Json object_schema(SchemaDialect dialect, const Fields::Describe& describe);
// The schema of `status`.
Json status_schema();

}  // namespace spanway::api
