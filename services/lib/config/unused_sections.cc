// Sections beside the one that a key `type` chooses.
#include "services/lib/config/section_loader.h"

namespace spanway::config {
namespace {

constexpr std::string_view kTypeKey = "type";

}  // namespace

void SectionLoader::check_unused_sections(std::string_view key, bool is_given, int type,
                                          const EnumNames& names) {
  if (key != kTypeKey) return;
  const std::string_view used = names[static_cast<std::size_t>(type)];
  if (node_ == nullptr || (!is_given && node_->entries.contains(used))) return;
  for (const std::string_view name : names) {
    const auto found = node_->entries.find(name);
    if (name == used || found == node_->entries.end()) continue;
    const std::string section = path_of(name);
    if (is_given) {
      state_.warn(section + " is not used: " + path_of(kTypeKey) + " is " + std::string(used));
    } else {
      report(Origin{section, found->second->key_place, ""},
             "is not used without a type, which would be " + std::string(used) +
                 ": write type: " + std::string(name) + " beside it, or remove it");
    }
  }
}

}  // namespace spanway::config
