#include "services/lib/runtime/termination.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "services/lib/base/ascii.h"
#include "services/lib/base/utf8.h"

namespace spanway::runtime {
namespace {

constexpr std::size_t kMessageBytesMax = 256;
constexpr std::string_view kHidden = "***";

bool is_blank(char c) noexcept { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }

// Line breaks and control characters become spaces.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(line.begin(), line.end(), is_blank, ' ');
  line.resize(trim_end(line, " ").size());
  return line;
}

// scheme://user:password@host -> scheme://***@host
void hide_url_users(std::string& text) {
  constexpr std::string_view kMark = "://";
  for (std::size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at)) {
    at += kMark.size();
    const std::size_t end = std::min(text.find_first_of(" /?#'\"", at), text.size());
    const std::size_t user_end = text.substr(at, end - at).rfind('@');
    if (user_end != std::string::npos) text.replace(at, user_end, kHidden);
  }
}

// The end of a value that starts at `begin`: its closing quote, or a blank or separator.
std::size_t value_end(const std::string& text, std::size_t begin) {
  if (begin < text.size() && (text[begin] == '"' || text[begin] == '\'')) {
    const std::size_t end = text.find(text[begin], begin + 1);
    return end == std::string::npos ? text.size() : end + 1;
  }
  return std::min(text.find_first_of(" ,;&)}", begin), text.size());
}

// "Bearer abc" is one value.
std::size_t skip_scheme(const std::string& lowered, std::size_t begin) {
  for (const std::string_view scheme : {std::string_view("bearer "), std::string_view("basic ")})
    if (lowered.compare(begin, scheme.size(), scheme) == 0) return begin + scheme.size();
  return begin;
}

// The value at `begin`, behind `name:` and a blank, may be the rest of a sentence ("kafka.password:
// is required"): it is hidden only when it is the only word.
bool is_only_word(const std::string& text, std::size_t begin, std::size_t end) {
  if (text[begin] == '"' || text[begin] == '\'') return true;
  return end == text.size() || text[end] != ' ';
}

// password=x, "token": "x", authorization: Bearer x
void hide_named_values(std::string& text, std::string_view name) {
  std::string lowered = to_lower(text);
  for (std::size_t at = lowered.find(name); at != std::string::npos; at = lowered.find(name, at)) {
    at += name.size();
    const std::size_t mark = text.find_first_not_of("\"'", at);
    if (mark == std::string::npos || (text[mark] != '=' && text[mark] != ':')) continue;
    const std::size_t begin = text.find_first_not_of(' ', mark + 1);
    if (begin == std::string::npos) return;
    const std::size_t value = skip_scheme(lowered, begin);
    const std::size_t end = value_end(text, value);
    const bool is_sentence = text[mark] == ':' && begin > mark + 1 && value == begin;
    if (is_sentence && !is_only_word(text, begin, end)) continue;
    text.replace(begin, end - begin, kHidden);
    lowered.replace(begin, end - begin, kHidden);
    at = begin;
  }
}

void write_text(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) return;
  // Best effort: nothing can be done about a failure in the last moment.
  [[maybe_unused]] const ssize_t written = write(file, text.data(), text.size());
  close(file);
}

}  // namespace

std::string redact(std::string_view reason) {
  // Cut first, generously: what is thrown away need not be searched.
  std::string line = one_line(reason.substr(0, 4 * kMessageBytesMax));
  hide_url_users(line);
  for (const char* name : {"password", "passwd", "secret", "token", "authorization", "api_key",
                           "api-key", "apikey", "access_key", "credential"})
    hide_named_values(line, name);
  return truncate_utf8(line, kMessageBytesMax);
}

void write_termination_message(const std::string& path, std::string_view reason) {
  write_text(path, redact(reason) + "\n");
}

void write_termination_report(const std::string& path, std::string_view report) {
  if (report.size() < kTerminationBytesMax) write_text(path, std::string(report) + "\n");
}

}  // namespace spanway::runtime
