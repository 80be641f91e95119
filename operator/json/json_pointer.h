// Keys as steps of a path, as in RFC 6901: '~' is written ~0 and '/' is written ~1. Stateless;
// thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace spanway::kube {

inline std::string escape_step(std::string_view key) {
  std::string step;
  step.reserve(key.size());
  for (const char c : key) {
    if (c == '~') {
      step += "~0";
    } else if (c == '/') {
      step += "~1";
    } else {
      step += c;
    }
  }
  return step;
}

// A '~' that begins no escape stays.
inline std::string unescape_step(std::string_view step) {
  std::string key;
  key.reserve(step.size());
  for (std::size_t i = 0; i < step.size(); ++i) {
    const char next = step[i] == '~' && i + 1 < step.size() ? step[i + 1] : '\0';
    key += next == '1' ? '/' : step[i];
    if (next == '0' || next == '1') ++i;
  }
  return key;
}

}  // namespace spanway::kube
