// Parameters and settings in the URL of a query, besides its text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spanway::clickhouse {

// Settings of one query, as name and value.
using Settings = std::vector<std::pair<std::string, std::string>>;

// Values for the placeholders {name:Type} of a query. Values are data: whatever they hold, they
// cannot become SQL. Thread contract: external lock.
class Parameters {
 public:
  // For String, and with the raw bytes for FixedString.
  Parameters& add(std::string name, std::string_view text);
  Parameters& add(std::string name, std::int64_t number);
  // For Array(String).
  Parameters& add_list(std::string name, std::span<const std::string> texts);
  const std::vector<std::pair<std::string, std::string>>& values() const noexcept {
    return values_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> values_;  // In the escaped form.
};

struct Query {
  std::string sql;
  Parameters parameters;
  Settings settings;
};

// As a server reads the value of a parameter: backslash, tab, newline, carriage return, zero byte
// and quote are escaped by a backslash.
std::string escape_parameter(std::string_view text);

// "/path?database=..&name=value..." with all values percent-encoded. `sql` empty: the text goes
// into the body.
std::string query_target(std::string_view path, std::string_view database, std::string_view sql,
                         const Settings& settings, const Parameters& parameters);

// `name` in backquotes, as an identifier.
std::string quote_identifier(std::string_view name);

}  // namespace spanway::clickhouse
