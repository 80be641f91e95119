#include "services/query/api/coverage_header.h"

#include <algorithm>
#include <chrono>

#include "services/lib/base/rfc3339.h"

namespace spanway::query {

std::string coverage_text(const Coverage& coverage) {
  std::string text = "searched back to " +
                     to_rfc3339(SystemTime(std::chrono::nanoseconds(coverage.searched.begin))) +
                     " only: " + coverage.why;
  // A header has one line.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
  return text;
}

void add_coverage(const Coverage& coverage, AnswerWriter& answer) {
  if (!coverage.complete) answer.add_header("spanway-coverage", coverage_text(coverage));
}

}  // namespace spanway::query
