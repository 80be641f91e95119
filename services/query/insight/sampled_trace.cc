#include "services/query/insight/sampled_trace.h"

#include <algorithm>

#include "services/lib/base/ascii.h"
#include "services/lib/base/utf8.h"

namespace spanway::query::insight {
namespace {

constexpr std::size_t kOperationBytesMax = 200;
// Statements are read this far: enough to distinguish them, and no megabytes of an insert.
constexpr std::size_t kStatementBytesMax = 2000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '$'; }
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '-';
}

// The index behind the quoted text that begins at `begin`; a doubled quote belongs to it.
std::size_t end_of_quoted(std::string_view text, std::size_t begin) {
  std::size_t at = begin + 1;
  while (at < text.size()) {
    if (text[at] == '\\') {
      at += 2;
    } else if (text[at] == text[begin]) {
      if (at + 1 >= text.size() || text[at + 1] != text[begin]) return at + 1;
      at += 2;
    } else {
      ++at;
    }
  }
  return text.size();
}

// Appends "?", once for a list: "?, ?, ?" is "?", so that `IN (1, 2)` equals `IN (1, 2, 3)`.
void append_operand(std::string& result) {
  const std::size_t last = result.find_last_not_of(", ");
  if (last != std::string::npos && result[last] == '?' && last + 1 < result.size() &&
      result.find(',', last) != std::string::npos) {
    result.resize(last + 1);
    return;
  }
  result += '?';
}

// A statement of a query language: quoted texts, numbers and placeholders are operands.
std::string without_literals(std::string_view text) {
  std::string result;
  std::size_t at = 0;
  text = text.substr(0, kStatementBytesMax);
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\'') {
      append_operand(result);
      at = end_of_quoted(text, at);
    } else if (is_digit(c) || (c == '$' && at + 1 < text.size() && is_digit(text[at + 1]))) {
      append_operand(result);
      while (at < text.size() && (is_word(text[at]) || text[at] == '.')) ++at;
    } else if (c == '?') {
      append_operand(result);
      ++at;
    } else if (is_word(c)) {
      while (at < text.size() && is_word(text[at])) result += text[at++];
    } else if (is_space(c)) {
      if (!result.empty() && result.back() != ' ') result += ' ';
      ++at;
    } else {
      result += c;
      ++at;
    }
  }
  result.resize(trim_end(result, " ").size());
  return result;
}

// Numbers, UUIDs and long hexadecimal texts.
bool is_identifier(std::string_view segment) {
  if (segment.empty()) return false;
  const auto digits = std::count_if(segment.begin(), segment.end(), is_digit);
  if (digits == static_cast<std::ptrdiff_t>(segment.size())) return true;
  return digits > 0 && segment.size() >= 8 && std::all_of(segment.begin(), segment.end(), is_hex);
}

// A name or path: segments between '/', ' ', ':' and '=' that are identifiers are operands.
std::string without_identifiers(std::string_view text) {
  std::string result;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find_first_of("/ :=?&", begin), text.size());
    const std::string_view segment = text.substr(begin, end - begin);
    if (is_identifier(segment)) {
      result += '?';
    } else {
      result += segment;
    }
    if (end < text.size()) result += text[end];
    begin = end + 1;
  }
  return result;
}

// "/a/b" of "http://host:80/a/b?c=d".
std::string_view path_of_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    const std::size_t path = url.find('/', scheme + 3);
    url = path == std::string_view::npos ? std::string_view("/") : url.substr(path);
  }
  return url.substr(0, url.find_first_of("?#"));
}

std::string_view host_of(const SampledSpan& span) {
  return first_of(span.attributes,
                  {"server.address", "net.peer.name", "http.host", "network.peer.address"});
}

bool is_http_method(std::string_view name) {
  for (const std::string_view method :
       {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "HTTP"})
    if (name == method || (name.starts_with("HTTP ") && name.substr(5) == method)) return true;
  return false;
}

}  // namespace

std::string_view first_of(const TextAttributes& attributes,
                          std::initializer_list<std::string_view> keys) noexcept {
  for (const std::string_view key : keys)
    for (const auto& [name, value] : attributes)
      if (name == key) {
        if (!value.empty()) return value;
        break;
      }
  return {};
}

Peer peer_of(const SampledSpan& span) {
  const std::string_view system = first_of(span.attributes, {"db.system.name", "db.system"});
  Peer peer;
  peer.is_database = !system.empty();
  peer.name = first_of(span.attributes, {"peer.service"});
  if (!peer.name.empty()) return peer;
  const std::string_view host = host_of(span);
  if (system.empty()) {
    peer.name = host;
    return peer;
  }
  const std::string_view name = first_of(span.attributes, {"db.namespace", "db.name"});
  peer.name = system;
  if (const std::string_view where = name.empty() ? host : name; !where.empty())
    peer.name.append("/").append(where);
  return peer;
}

std::string normalized_operation(const SampledSpan& span) {
  std::string result;
  const std::string_view statement = first_of(span.attributes, {"db.query.text", "db.statement"});
  if (!statement.empty()) {
    result = without_literals(statement);
  } else if (is_http_method(span.name)) {
    result = span.name;
    if (const std::string_view host = host_of(span); !host.empty()) result.append(" ").append(host);
    const std::string_view route = first_of(span.attributes, {"url.template", "http.route"});
    const std::string_view url =
        first_of(span.attributes, {"url.path", "url.full", "http.target", "http.url"});
    const std::string path =
        route.empty() ? without_identifiers(path_of_url(url)) : std::string(route);
    if (!path.empty()) result.append(" ").append(path);
  } else {
    result = without_identifiers(span.name);
  }
  return printable_utf8(result, kOperationBytesMax);
}

}  // namespace spanway::query::insight
