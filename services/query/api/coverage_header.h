// The header of an answer whose search ended before the begin of its range.
#pragma once

#include <string>

#include "services/query/api/answer_writer.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

// "searched back to 2026-11-29T18:00:00Z only: ..."
std::string coverage_text(const Coverage& coverage);
// Adds "spanway-coverage" to an answer that has not begun, when the search is not complete.
void add_coverage(const Coverage& coverage, AnswerWriter& answer);

}  // namespace spanway::query
