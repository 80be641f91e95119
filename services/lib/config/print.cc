#include <algorithm>
#include <array>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/base/json_writer.h"
#include "services/lib/config/load.h"
#include "services/lib/config/scalar.h"
#include "services/lib/config/substitute.h"

namespace spanway::config {
namespace {

constexpr const char* kRedacted = "\"***\"";

// Words that some YAML reader takes for something other than text.
bool is_special_word(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kWords{"null", "true", "false", "yes", "no",
                                                          "on",   "off",  "y",     "n"};
  return std::find(kWords.begin(), kWords.end(), to_lower(text)) != kWords.end();
}

bool is_plain(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !(is_letter(text[0]) || text[0] == '/') || is_special_word(text))
    return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
  });
}

std::string text_value(std::string_view text) {
  return is_plain(text) ? std::string(text) : json_quoted(escape_dollars(text));
}

// One section as lines without indentation; the section around it indents them.
class PrintBinder final : public Binder {
 public:
  const std::vector<std::string>& lines() const noexcept { return lines_; }

  using Binder::key;
  void key(std::string_view name, bool& value, const KeyInfo&) override {
    line(name, value ? "true" : "false");
  }
  void key(std::string_view name, std::int64_t& value, const KeyInfo&) override {
    line(name, std::to_string(value));
  }
  void key(std::string_view name, double& value, const KeyInfo&) override {
    line(name, format_double(value));
  }
  void key(std::string_view name, std::string& value, const KeyInfo&) override {
    line(name, text_value(value));
  }
  void key(std::string_view name, Secret& value, const KeyInfo&) override {
    line(name, value.empty() ? "\"\"" : kRedacted);
  }
  void key(std::string_view name, Duration& value, const KeyInfo&) override {
    line(name, format_duration(value));
  }
  void key(std::string_view name, ByteSize& value, const KeyInfo&) override {
    line(name, format_size(value));
  }
  void key(std::string_view name, std::vector<std::string>& value, const KeyInfo& info) override {
    std::string list;
    for (const std::string& item : value)
      list += (list.empty() ? "" : ", ") + (info.secret ? kRedacted : text_value(item));
    line(name, "[" + list + "]");
  }
  void key(std::string_view name, std::map<std::string, std::string>& value,
           const KeyInfo& info) override {
    if (value.empty()) return line(name, "{}");
    lines_.push_back(std::string(name) + ":");
    for (const auto& [item, text] : value) {
      // Keys are not substituted: their '$' is literal.
      const std::string item_key = is_plain(item) ? item : json_quoted(item);
      lines_.push_back("  " + item_key + ": " + (info.secret ? kRedacted : text_value(text)));
    }
  }
  void key(std::string_view name, std::uint16_t& value, const KeyInfo&) override {
    line(name, std::to_string(value));
  }
  void enum_key(std::string_view name, int& value, const EnumNames& names,
                const KeyInfo&) override {
    line(name, text_value(names.at(static_cast<std::size_t>(value))));
  }
  void section_impl(std::string_view name, const char*,
                    const std::function<void(Binder&)>& describe_section) override {
    PrintBinder section;
    describe_section(section);
    if (section.lines_.empty()) return line(name, "{}");
    lines_.push_back(std::string(name) + ":");
    for (const std::string& inner : section.lines_) lines_.push_back("  " + inner);
  }
  void list_impl(std::string_view name, const char*, std::size_t size,
                 const std::function<void(std::size_t)>&,
                 const std::function<void(Binder&, std::size_t)>& describe_item) override {
    if (size == 0) return line(name, "[]");
    lines_.push_back(std::string(name) + ":");
    for (std::size_t i = 0; i < size; ++i) {
      PrintBinder item;
      describe_item(item, i);
      if (item.lines_.empty()) lines_.push_back("  - {}");
      for (std::size_t j = 0; j < item.lines_.size(); ++j)
        lines_.push_back((j == 0 ? "  - " : "    ") + item.lines_[j]);
    }
  }

 private:
  void line(std::string_view name, std::string_view value) {
    lines_.push_back(std::string(name) + ": " + std::string(value));
  }
  std::vector<std::string> lines_;
};

}  // namespace

std::string print(const Describe& describe) {
  PrintBinder binder;
  describe(binder);
  std::string out;
  for (const std::string& line : binder.lines()) out += line + "\n";
  return out;
}

}  // namespace spanway::config
