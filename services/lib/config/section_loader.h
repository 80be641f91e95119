// The Binder that fills values from a document and the environment.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/config/binder.h"
#include "services/lib/config/document.h"
#include "services/lib/config/environment.h"
#include "services/lib/config/load_state.h"

namespace spanway::config {

// One section. The root's path is empty.
class SectionLoader final : public Binder {
 public:
  // `node` is the section's mapping, or null when the file does not have it. `place` is where to
  // report keys that are missing in it.
  SectionLoader(LoadState& state, const Node* node, Place place, std::string path,
                std::string environment_prefix);

  using Binder::key;
  void key(std::string_view name, bool& value, const KeyInfo& info) override;
  void key(std::string_view name, std::int64_t& value, const KeyInfo& info) override;
  void key(std::string_view name, double& value, const KeyInfo& info) override;
  void key(std::string_view name, std::string& value, const KeyInfo& info) override;
  void key(std::string_view name, Secret& value, const KeyInfo& info) override;
  void key(std::string_view name, Duration& value, const KeyInfo& info) override;
  void key(std::string_view name, ByteSize& value, const KeyInfo& info) override;
  void key(std::string_view name, std::vector<std::string>& value, const KeyInfo& info) override;
  void key(std::string_view name, std::map<std::string, std::string>& value,
           const KeyInfo& info) override;
  void key(std::string_view name, std::uint16_t& value, const KeyInfo& info) override;
  void enum_key(std::string_view name, int& value, const EnumNames& names,
                const KeyInfo& info) override;
  void section_impl(std::string_view name, const char* doc,
                    const std::function<void(Binder&)>& describe_section) override;
  void list_impl(std::string_view name, const char* doc, std::size_t size,
                 const std::function<void(std::size_t)>& resize,
                 const std::function<void(Binder&, std::size_t)>& describe_item) override;

  // The section exists but could not be read: missing keys are not reported.
  void ignore_missing() noexcept { ignore_missing_ = true; }
  // Reports the keys of the file that nothing has bound.
  void finish();

 private:
  // The origin of a value, for messages.
  struct Origin {
    std::string path;
    Place place;
    std::string variable;  // Empty when it comes from the file.
  };
  // One scalar, substituted.
  struct Given {
    Origin origin;
    std::string text;
    std::string shown;    // For messages: never a secret, never a substituted value.
    bool quoted = false;  // In quotes in the file: not a number, not a boolean.
    bool substituted = false;
    bool unresolved = false;           // Only its form can be checked.
    std::vector<std::string> paths{};  // Substituted::paths.
    std::string source{};              // Substituted::source.
  };
  // The sources of a key: a variable, a node, or neither.
  struct Found {
    std::optional<EnvironmentValue> variable;
    const Node* node = nullptr;
    Origin origin;
  };

  Found find(std::string_view name, const KeyInfo& info, bool (*skip)(std::string_view) = nullptr);
  const Node* child(std::string_view name);
  std::string path_of(std::string_view name) const;
  void report(const Origin& origin, const std::string& message);
  void report_missing(const Found& found, const KeyInfo& info);
  // An enumeration `type` chooses the section of its value's name: others beside it.
  void check_unused_sections(std::string_view key, bool is_given, int type, const EnumNames& names);

  // Nothing when the key is not given or has been reported.
  std::optional<Given> scalar(const Found& found, const KeyInfo& info, bool is_secret);
  std::optional<Given> substituted(const Node& node, const Origin& origin, bool is_secret);
  template <typename T, typename Parse>
  void number(std::string_view name, T& value, const KeyInfo& info, const std::string& what,
              Parse parse, bool may_be_quoted, bool (*skip)(std::string_view) = nullptr);
  bool check_text(const Given& given, const KeyInfo& info, bool is_secret);
  // `reread`: who uses the value resolves Given::source again.
  void warn_if_read_once(const Given& given, bool reread);
  // For config::secret_of().
  std::string source_of(const Given& given);
  std::optional<std::vector<Given>> list_items(const Found& found);
  std::optional<std::map<std::string, Given>> map_items(const Found& found);
  std::vector<Given> split_given(const Given& given) const;
  const Node* section_node(std::string_view name, Node::Kind kind, const char* what);
  std::size_t configured_list_size(const Node* node, std::string_view name, std::size_t size);

  LoadState& state_;
  const Node* node_;
  const Place place_;
  const std::string path_;
  const std::string environment_prefix_;
  std::vector<std::string> known_;
  bool ignore_missing_ = false;
};

}  // namespace spanway::config
