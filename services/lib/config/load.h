// Loading a configuration: YAML file, then environment, over in-code defaults.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/config/binder.h"

namespace spanway::config {

// How ${env:NAME} and ${file:path} are resolved, and which environment variables exist. The
// operator checks configurations with a resolver that reads nothing.
struct Sources {
  std::map<std::string, std::string> environment;
  // Nothing when the file cannot be read. Trailing newlines are cut off by the loader. At most
  // 1 MiB.
  std::function<std::optional<std::string>(const std::string& path)> read_file;
  // Substitutions are checked for form only and keep their text.
  bool resolve_nothing = false;

  // The process's environment and the file system.
  static Sources of_process();
};

struct LoadReport {
  // Sorted by line, those without a line last. Empty = the configuration is good. At most 1000.
  Problems problems;
  std::vector<std::string> warnings;  // For example an ignored GRPC_PORT=tcp://... At most 100.
};

using Describe = std::function<void(Binder&)>;

// Fills whatever `describe` binds. `yaml` may be empty; `file_name` is for messages only.
// Environment: SPANWAY_<SECTION>__<KEY>, sections joined by "__", upper case, e.g.
// SPANWAY_KAFKA__TOPICS__TRACES; list items by index. `validate` runs when nothing else is wrong.
// Bounds: file 1 MiB, depth 32, 100k nodes; YAML anchors and duplicate keys are refused.
LoadReport load(std::string_view yaml, std::string_view file_name, const Sources& sources,
                const Describe& describe, const std::function<void(Problems&)>& validate);

// "ingress.yaml:14:3: kafka.tpoic: unknown key (did you mean 'topic'?)", one line per problem.
std::string format(const Problems& problems, std::string_view file_name);

// The effective configuration as YAML that, secrets aside, can be loaded again; secrets as
// ***.
std::string print(const Describe& describe);
// The rows of one service in CONFIG.md: key, type, default, bounds, environment, meaning.
std::string markdown(const Describe& describe);
// JSON schema, draft 2020-12, additionalProperties false.
std::string json_schema(std::string_view title, const Describe& describe);

}  // namespace spanway::config
