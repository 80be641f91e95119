#include "services/lib/config/environment.h"

#include <algorithm>
#include <utility>

#include "services/lib/config/scalar.h"

namespace spanway::config {
namespace {

constexpr std::size_t kWarningsMax = 100;

// Kubernetes describes every Service of the namespace in the environment; one named spanway-... is
// not a misspelt key.
bool describes_a_service(std::string_view name, std::string_view value) {
  const auto has = [name](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  };
  return is_service_link(value) || has("_SERVICE_HOST") || has("_SERVICE_PORT") || has("_TCP_") ||
         has("_UDP_") || name.ends_with("_TCP") || name.ends_with("_UDP");
}

}  // namespace

std::string environment_name(std::string_view prefix, std::string_view name) {
  std::string out(prefix);
  out += prefix.find('_') == std::string_view::npos ? "_" : "__";
  for (const char c : name) out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

std::vector<std::string> alias_names(const char* alias) { return split_list(alias); }

bool is_service_link(std::string_view value) noexcept {
  return value.starts_with("tcp://") || value.starts_with("udp://");
}

std::optional<EnvironmentValue> Environment::find(std::string_view own_name, const KeyInfo& info,
                                                  bool (*skip)(std::string_view),
                                                  std::vector<std::string>& warnings) {
  std::vector<std::string> names{std::string(own_name)};
  known_.insert(names.front());
  for (std::string& alias : alias_names(info.alias)) names.push_back(std::move(alias));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto found = sources_.environment.find(names[i]);
    if (found == sources_.environment.end() || (i > 0 && found->second.empty())) continue;
    if (skip != nullptr && skip(found->second)) {
      if (warnings.size() < kWarningsMax)
        warnings.push_back(names[i] + " is ignored: " + quote(found->second) +
                           " is a Kubernetes service link, not a port (set enableServiceLinks: "
                           "false in the pod)");
      continue;
    }
    return EnvironmentValue{names[i], found->second};
  }
  return std::nullopt;
}

std::size_t Environment::list_size(std::string_view prefix) const {
  const std::string start = std::string(prefix) + "__";
  std::size_t size = 0;
  for (auto entry = sources_.environment.lower_bound(start);
       entry != sources_.environment.end() && entry->first.starts_with(start); ++entry) {
    const std::string_view rest = std::string_view(entry->first).substr(start.size());
    const auto index = parse_int(rest.substr(0, rest.find("__")));
    // An absurd index is left to warn_unknown().
    if (index && *index >= 0 && *index < 1000)
      size = std::max(size, static_cast<std::size_t>(*index) + 1);
  }
  return size;
}

void Environment::warn_unknown(std::vector<std::string>& warnings) const {
  const std::vector<std::string> candidates(known_.begin(), known_.end());
  for (auto entry = sources_.environment.lower_bound(std::string(kEnvironmentPrefix));
       entry != sources_.environment.end() && entry->first.starts_with(kEnvironmentPrefix);
       ++entry) {
    const auto& [name, value] = *entry;
    if (known_.count(name) > 0 || describes_a_service(name, value)) continue;
    if (warnings.size() >= kWarningsMax) return;
    warnings.push_back("the environment variable " + escape(name) +
                       " matches no key and is ignored" + did_you_mean(name, candidates));
  }
}

}  // namespace spanway::config
