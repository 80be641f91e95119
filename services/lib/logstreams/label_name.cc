#include "services/lib/logstreams/label_name.h"

namespace spanway::logstreams {
namespace {

constexpr std::string_view kReserved = "__";
constexpr const char* kNameless = "key_";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_plain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

std::string sanitized(std::string_view key) {
  std::string name;
  name.reserve(key.size());
  bool after_underscore = false;
  for (const char c : key) {
    if (is_plain(c)) {
      name += c;
    } else if (!after_underscore) {
      name += '_';
    }
    after_underscore = !is_plain(c);
  }
  return name;
}

}  // namespace

std::string label_name(std::string_view key) {
  const bool is_reserved =
      key.size() >= 2 * kReserved.size() && key.starts_with(kReserved) && key.ends_with(kReserved);
  std::string name;
  if (is_reserved) {
    key = key.substr(kReserved.size(), key.size() - 2 * kReserved.size());
    name = std::string(kReserved) + sanitized(key) + std::string(kReserved);
  } else {
    name = sanitized(key);
  }
  if (name.find_first_not_of('_') == std::string::npos) return kNameless;
  if (is_digit(name.front())) name.insert(0, kNameless);
  return name;
}

}  // namespace spanway::logstreams
