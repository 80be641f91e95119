// Problems and warnings of one load, and the lines of its keys.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <regex>
#include <string>

#include "services/lib/config/document.h"
#include "services/lib/config/environment.h"
#include "services/lib/config/load.h"

namespace spanway::config {

// State shared by all sections of one load. External lock.
struct LoadState {
  explicit LoadState(const Sources& given) : sources(given), environment(given) {}

  // Beyond 1000 problems nothing more is collected.
  void report(Problem problem);
  // Beyond 100 warnings nothing more is collected.
  void warn(std::string warning);
  // Each pattern is compiled once.
  const std::regex& compiled(const std::string& pattern);
  bool full() const noexcept { return problem_count >= kProblemsMax; }

  static constexpr std::size_t kProblemsMax = 1000;
  const Sources& sources;
  Environment environment;
  LoadReport result;
  std::size_t problem_count = 0;
  // Lines of keys and sections, by path.
  std::map<std::string, Place, std::less<>> places;
  std::map<std::string, std::regex, std::less<>> patterns;
};

}  // namespace spanway::config
