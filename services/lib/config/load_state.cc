#include "services/lib/config/load_state.h"

#include <utility>

namespace spanway::config {
namespace {

constexpr std::size_t kWarningsMax = 100;

}  // namespace

void LoadState::report(Problem problem) {
  ++problem_count;
  if (problem_count < kProblemsMax) {
    result.problems.add(std::move(problem));
  } else if (problem_count == kProblemsMax) {
    result.problems.add(
        "", "more than " + std::to_string(kProblemsMax) + " problems; the rest is not shown");
  }
}

void LoadState::warn(std::string warning) {
  if (result.warnings.size() < kWarningsMax) result.warnings.push_back(std::move(warning));
}

const std::regex& LoadState::compiled(const std::string& pattern) {
  const auto found = patterns.find(pattern);
  if (found != patterns.end()) return found->second;
  return patterns.emplace(pattern, std::regex(pattern, std::regex::ECMAScript)).first->second;
}

}  // namespace spanway::config
