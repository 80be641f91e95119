#include "operator/render/yaml_writer.h"

#include <functional>
#include <set>
#include <utility>

#include "services/lib/config/scalar.h"

namespace spanway::render {
namespace {

using kube::Json;

bool is_block(const Json& value) { return value.is_structured() && !value.empty(); }

// A key that no YAML reads as anything but this text.
bool is_plain_key(const std::string& key) {
  static const std::set<std::string, std::less<>> kOther = {
      "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (key.empty() || !(letter(key[0]) || key[0] == '_')) return false;
  std::string lower;
  for (const char c : key) {
    const bool inner = (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
    if (!letter(c) && !inner) return false;
    lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return !kOther.contains(lower);
}

std::string key_text(const std::string& key) {
  return is_plain_key(key) ? key : config::json_quote(key);
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) return config::json_quote(value.get_ref<const std::string&>());
  return kube::to_text(value);  // Numbers, booleans, null, {} and [] are the same in YAML.
}

void write_block(const Json& value, std::size_t depth, bool indented, std::string& out);

// Behind "key:".
void write_value(const Json& value, std::size_t depth, std::string& out) {
  if (!is_block(value)) {
    out += " " + scalar_text(value) + "\n";
    return;
  }
  out += "\n";
  write_block(value, depth, false, out);
}

// `indented`: the first line has its indentation already, as behind "- ".
void write_block(const Json& value, std::size_t depth, bool indented, std::string& out) {
  const std::string indent(depth * 2, ' ');
  const auto begin_line = [&] {
    if (!std::exchange(indented, false)) out += indent;
  };
  if (value.is_array()) {
    for (const Json& item : value) {
      begin_line();
      out += "- ";
      if (is_block(item)) {
        write_block(item, depth + 1, true, out);
      } else {
        out += scalar_text(item) + "\n";
      }
    }
    return;
  }
  for (const auto& [key, item] : value.items()) {
    begin_line();
    out += key_text(key) + ":";
    write_value(item, depth + 1, out);
  }
}

}  // namespace

std::string to_yaml(const Json& value) {
  if (!is_block(value)) return scalar_text(value) + "\n";
  std::string out;
  write_block(value, 0, false, out);
  return out;
}

}  // namespace spanway::render
