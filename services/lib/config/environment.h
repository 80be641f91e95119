// Which environment variable sets which key.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/config/load.h"

namespace spanway::config {

inline constexpr std::string_view kEnvironmentPrefix = "SPANWAY_";

// "topics" behind "SPANWAY_KAFKA" -> "SPANWAY_KAFKA__TOPICS"; behind "SPANWAY" -> "SPANWAY_TOPICS".
std::string environment_name(std::string_view prefix, std::string_view name);
// The names in KeyInfo::alias.
std::vector<std::string> alias_names(const char* alias);
// A Kubernetes service link ("tcp://10.0.0.1:4317") in place of a port.
bool is_service_link(std::string_view value) noexcept;

struct EnvironmentValue {
  std::string name;
  std::string value;
};

// One load's view of the variables. External lock.
class Environment {
 public:
  explicit Environment(const Sources& sources) : sources_(sources) {}

  // The variable that sets a key: its own name first, then the aliases in order (an empty alias
  // counts as not set). Variables for which `skip` is true are passed over.
  std::optional<EnvironmentValue> find(std::string_view own_name, const KeyInfo& info,
                                       bool (*skip)(std::string_view),
                                       std::vector<std::string>& warnings);
  // One more than the highest item index that a variable "<prefix>__<index>__..." names.
  std::size_t list_size(std::string_view prefix) const;
  // Warnings for SPANWAY_* variables that belong to no key.
  void warn_unknown(std::vector<std::string>& warnings) const;

 private:
  const Sources& sources_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace spanway::config
