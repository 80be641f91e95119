// The functions of the language: their names and types.
#pragma once

#include <string_view>
#include <vector>

#include "services/query/promql/ast.h"

namespace spanway::query::promql {

struct Signature {
  std::string_view name;
  std::vector<ValueType> args;
  int variadic = 0;  // How many more than args there may be, the last of args optional; -1: any.
  ValueType result = ValueType::kVector;
  bool experimental = false;
};

// nullptr for a name that is none.
const Signature* find_function(std::string_view name);

}  // namespace spanway::query::promql
