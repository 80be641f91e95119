// Compares a result with what a file expects.
#pragma once

#include <string>

#include "services/query/promql/engine.h"
#include "tests/conformance/promqltest/test_file.h"

namespace spanway::promqltest {

// The first difference; "" when nothing does. `query` is the text that ran.
std::string difference(const Eval& expected, const query::promql::QueryResult& actual);
std::string annotation_difference(const Eval& expected, const std::string& query,
                                  const query::promql::Annotations& actual);
std::string failure_difference(const Eval& expected, const std::string& message);

}  // namespace spanway::promqltest
