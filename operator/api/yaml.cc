#include "operator/api/yaml.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "operator/api/declaration.h"
#include "services/lib/base/json_writer.h"
#include "services/lib/config/document.h"
#include "services/lib/config/scalar.h"

namespace spanway::api {
namespace {

using config::Node;
using kube::Json;

constexpr std::size_t kDocumentsMax = 100;

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}
// The words that kubectl reads as booleans.
bool is_true(std::string_view t) {
  return is_one_of(t, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"});
}
bool is_false(std::string_view t) {
  return is_one_of(t, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"});
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Some YAML readers take it for a number.
bool begins_like_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with('.')) text.remove_prefix(1);
  return !text.empty() && is_digit(text.front());
}

bool may_be_plain(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !(letter(text.front()) || text.front() == '/')) return false;
  if (is_true(text) || is_false(text) ||
      is_one_of(text, {"null", "Null", "NULL", "y", "Y", "n", "N"}))
    return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || is_digit(c) || c == '_' || c == '.' || c == '/' || c == '-';
  });
}

std::string scalar_text(std::string_view text) {
  return may_be_plain(text) ? std::string(text) : json_quoted(text);
}

void write(const Json& value, std::size_t indent, bool in_list, std::string& out);

void write_entry(const Json& value, std::size_t indent, std::string& out) {
  const bool nested = value.is_structured() && !value.empty();
  out += nested ? "\n" : " ";
  // Lists are not indented below their key, as kubectl writes them.
  write(value, nested && value.is_object() ? indent + 2 : indent, false, out);
}

void write(const Json& value, std::size_t indent, bool in_list, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_object() && !value.empty()) {
    bool first = in_list;
    for (const auto& [key, item] : value.items()) {
      if (!first) out += margin;
      first = false;
      out += scalar_text(key) + ":";
      write_entry(item, indent, out);
    }
  } else if (value.is_array() && !value.empty()) {
    bool first = in_list;
    for (const Json& item : value) {
      if (!first) out += margin;
      first = false;
      out += "- ";
      write(item, indent + 2, true, out);
    }
  } else if (value.is_string()) {
    out += scalar_text(value.get_ref<const std::string&>()) + "\n";
  } else {
    out += kube::to_text(value) + "\n";
  }
}

// One document and the line it begins in.
struct Part {
  std::string text;
  std::size_t line = 0;
};

// A line of three dashes always ends a document: YAML allows it in no scalar.
std::vector<Part> split_documents(std::string_view text) {
  std::vector<Part> parts(1);
  for (std::size_t line = 0; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    std::string_view row = text.substr(0, end + 1);
    text.remove_prefix(end + 1);
    const bool marker = row.starts_with("---") || row.starts_with("...");
    if (marker && (row.size() == 3 || row.find_first_of(" \t\r\n", 3) == 3)) {
      parts.push_back({"   ", line});
      row.remove_prefix(3);
    }
    parts.back().text += row;
  }
  return parts;
}

Error mistake(std::string_view file_name, int line, int column, const std::string& message) {
  std::string place(file_name);
  if (line > 0) place += ":" + std::to_string(line) + ":" + std::to_string(column);
  return invalid_argument(place + ": " + message);
}

// Reads a plain scalar as kubectl does.
Result<Json> plain_value(const Node& node, std::string_view file_name) {
  const std::string& text = node.text;
  if (is_true(text)) return Json(true);
  if (is_false(text)) return Json(false);
  if (const auto number = config::parse_int(text)) return Json(*number);
  if (const auto number = config::parse_double(text)) return Json(*number);
  // 0x10, 1_000, 012: other readers take them for numbers; refuse the ambiguity.
  const bool odd =
      begins_like_number(text) && (text.find_first_not_of("0123456789_+-") == std::string::npos ||
                                   text.starts_with("0x") || text.starts_with("0o"));
  if (odd && text.find('-', 1) == std::string::npos)
    return mistake(file_name, node.place.line, node.place.column,
                   config::quote(text) +
                       " may be read as a number; write it in decimal or in "
                       "quotes");
  return Json(text);
}

// The depth is that of the parsed document, which is bounded.
Result<Json> to_json(const Node& node, std::string_view file_name) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return Json(nullptr);
    case Node::Kind::kScalar:
      if (node.quoted) return Json(node.text);
      return plain_value(node, file_name);
    case Node::Kind::kList: {
      Json list = Json::array();
      for (const auto& item : node.items) {
        SPANWAY_ASSIGN(Json value, to_json(*item, file_name));
        list.push_back(std::move(value));
      }
      return list;
    }
    case Node::Kind::kMap: {
      Json object = Json::object();
      for (const auto& [key, item] : node.entries) {
        SPANWAY_ASSIGN(Json value, to_json(*item, file_name));
        object[key] = std::move(value);
      }
      return object;
    }
  }
  return Json(nullptr);
}

}  // namespace

std::string to_yaml(const Json& value) {
  std::string out;
  write(value, 0, false, out);
  return out;
}

Result<std::vector<Json>> parse_yaml(std::string_view text, std::string_view file_name) {
  if (text.size() > config::kFileBytesMax)
    return mistake(file_name, 0, 0, "the file is larger than 1 MiB");
  std::vector<Json> values;
  const std::vector<Part> parts = split_documents(text);
  if (parts.size() > kDocumentsMax)
    return mistake(file_name, 0, 0, "more than " + std::to_string(kDocumentsMax) + " documents");
  for (const Part& part : parts) {
    config::Problems problems;
    // The lines before it are kept empty, so that all messages name the right line.
    const auto root = config::parse_document(std::string(part.line, '\n') + part.text, problems);
    if (!problems.empty()) {
      const config::Problem& first = problems.all().front();
      return mistake(file_name, first.line, first.column, first.message);
    }
    if (root == nullptr || root->kind == Node::Kind::kNull) continue;
    SPANWAY_ASSIGN(Json value, to_json(*root, file_name));
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace spanway::api
