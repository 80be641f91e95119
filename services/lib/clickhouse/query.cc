#include "services/lib/clickhouse/query.h"

#include "services/lib/base/percent_encoding.h"

namespace spanway::clickhouse {

Parameters& Parameters::add(std::string name, std::string_view text) {
  values_.emplace_back(std::move(name), escape_parameter(text));
  return *this;
}

Parameters& Parameters::add_list(std::string name, std::span<const std::string> texts) {
  // The elements are quoted strings, whose escapes are the same; the list itself has none.
  std::string list = "[";
  for (const std::string& text : texts) {
    list += list.size() > 1 ? ",'" : "'";
    list += escape_parameter(text) + "'";
  }
  values_.emplace_back(std::move(name), list + "]");
  return *this;
}

Parameters& Parameters::add(std::string name, std::int64_t number) {
  values_.emplace_back(std::move(name), std::to_string(number));
  return *this;
}

std::string escape_parameter(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '\\':
      case '\'':
        out += '\\';
        out += c;
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\0':
        out += "\\0";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string query_target(std::string_view path, std::string_view database, std::string_view sql,
                         const Settings& settings, const Parameters& parameters) {
  std::string target(path);
  char separator = path.find('?') == std::string_view::npos ? '?' : '&';
  const auto add = [&](std::string_view prefix, std::string_view name, std::string_view value) {
    target += separator;
    separator = '&';
    target += prefix;
    target += percent_encode(name);
    target += '=';
    target += percent_encode(value);
  };
  if (!database.empty()) add("", "database", database);
  if (!sql.empty()) add("", "query", sql);
  for (const auto& [name, value] : settings) add("", name, value);
  for (const auto& [name, value] : parameters.values()) add("param_", name, value);
  return target;
}

std::string quote_identifier(std::string_view name) {
  std::string out = "`";
  for (const char c : name) {
    if (c == '`' || c == '\\') out += '\\';
    out += c;
  }
  return out + "`";
}

}  // namespace spanway::clickhouse
