// destination.debug: the log.
#pragma once

#include <string>

#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

struct DebugConfig {
  enum class Verbosity { kBasic, kDetailed } verbosity = Verbosity::kBasic;
  config::ByteSize detail_bytes_max{4096};
  std::int64_t lines_per_second_max = 20;
};

void describe(config::Binder& b, DebugConfig& c);
// `path` is that of the section, for problems.
void validate(const DebugConfig& c, const std::string& path, config::Problems& problems);
// For logs and /statusz: without user info, query or headers.
std::string endpoint_of(const DebugConfig& c);

}  // namespace spanway::sinks
