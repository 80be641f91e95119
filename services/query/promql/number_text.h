// Numbers as Go prints them.
#pragma once

#include <string>

namespace spanway::query::promql {

// The shortest decimal that reads back, without an exponent; NaN, +Inf, -Inf.
std::string print_fixed(double value);
// As %v and %g: the shortest, with an exponent below 1e-4 and from 1e21 on.
std::string print_general(double value);

}  // namespace spanway::query::promql
