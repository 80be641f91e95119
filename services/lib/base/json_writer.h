// The one writer of JSON outside the hot encoders of sinks and otlp: statusz, reports, logs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace spanway {

// Appends `text` as the inside of a JSON string: valid UTF-8 on one line. Control, line-separating
// and bidirectional characters are escaped, invalid UTF-8 becomes U+FFFD. Text above `bytes_max` is
// truncated and ends in "...". Stateless; thread-safe.
void append_json_escaped(std::string& out, std::string_view text,
                         std::size_t bytes_max = std::numeric_limits<std::size_t>::max());

// As Go's encoding/json writes strings without its escapes of HTML: quotes, backslashes, control
// characters below U+0020 and the line separators U+2028 and U+2029 are escaped, all other bytes
// are copied. For text that must equal that of a program in Go.
void append_json_escaped_as_go(std::string& out, std::string_view text);

// `text` as a JSON string, with its quotes.
std::string json_quoted(std::string_view text,
                        std::size_t bytes_max = std::numeric_limits<std::size_t>::max());

// Streams one JSON value into a string; commas come by themselves. Wrong nesting (a value without a
// key inside an object, an end that does not match) is a bug of the caller and aborts. External
// lock; `out` outlives the writer.
//   JsonWriter json(out);
//   json.begin_object().member("ready", true).begin_array("topics").value("a").end_array();
//   json.end_object();
class JsonWriter {
 public:
  static constexpr std::size_t kDepthMax = 64;

  explicit JsonWriter(std::string& out,
                      std::size_t text_bytes_max = std::numeric_limits<std::size_t>::max()) noexcept
      : out_(out), text_bytes_max_(text_bytes_max) {}
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  JsonWriter& begin_object();
  JsonWriter& begin_object(std::string_view name) { return key(name).begin_object(); }
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& begin_array(std::string_view name) { return key(name).begin_array(); }
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);  // Truncated at the writer's text_bytes_max.
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  template <typename T>
  requires std::is_arithmetic_v<T> JsonWriter& value(T number) {
    if constexpr (std::is_same_v<T, bool>) {
      return raw(number ? "true" : "false");
    } else if constexpr (std::is_floating_point_v<T>) {
      return floating(number);
    } else if constexpr (std::is_signed_v<T>) {
      return integer(std::int64_t{number});
    } else {
      return integer(std::uint64_t{number});
    }
  }
  // With exactly so many digits behind the point.
  JsonWriter& fixed(double number, int decimals);
  JsonWriter& null() { return raw("null"); }
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <typename T>
  JsonWriter& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }

 private:
  enum class Scope : unsigned char { kArray, kObject, kKey };
  JsonWriter& integer(std::int64_t number);
  JsonWriter& integer(std::uint64_t number);
  // The shortest text that reads back as the same number; null for NaN and infinities, which JSON
  // does not have.
  JsonWriter& floating(double number);
  void before_value();
  void begin(Scope scope, char bracket);
  void end(Scope scope, char bracket);

  std::string& out_;
  const std::size_t text_bytes_max_;
  Scope scopes_[kDepthMax];
  std::size_t depth_ = 0;
  bool comma_ = false;  // The next value or key is not the first of its scope.
};

}  // namespace spanway
