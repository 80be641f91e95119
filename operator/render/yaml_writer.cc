#include "operator/render/yaml_writer.h"

#include "services/lib/config/scalar.h"

namespace spanway::render {
namespace {

using kube::Json;

bool is_block(const Json& value) { return value.is_structured() && !value.empty(); }

bool is_plain_key(const std::string& key) {
  if (key.empty() || key == "null" || key == "true" || key == "false") return false;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (!letter(key[0])) return false;
  for (const char c : key) {
    if (!letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

std::string key_text(const std::string& key) {
  return is_plain_key(key) ? key : config::json_quote(key);
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) return config::json_quote(value.get_ref<const std::string&>());
  return kube::to_text(value);  // Numbers, booleans, null, {} and [] are the same in YAML.
}

void write_block(const Json& value, std::size_t depth, std::string& out);

// Behind "key:" or "-".
void write_value(const Json& value, std::size_t depth, std::string& out) {
  if (!is_block(value)) {
    out += " " + scalar_text(value) + "\n";
    return;
  }
  out += "\n";
  write_block(value, depth, out);
}

void write_block(const Json& value, std::size_t depth, std::string& out) {
  const std::string indent(depth * 2, ' ');
  if (value.is_array()) {
    for (const Json& item : value) {
      out += indent + "-";
      write_value(item, depth + 1, out);
    }
    return;
  }
  for (const auto& [key, item] : value.items()) {
    out += indent + key_text(key) + ":";
    write_value(item, depth + 1, out);
  }
}

}  // namespace

std::string to_yaml(const Json& value) {
  if (!is_block(value)) return scalar_text(value) + "\n";
  std::string out;
  write_block(value, 0, out);
  return out;
}

}  // namespace spanway::render
