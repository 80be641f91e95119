// UTF-8 validation for a forward pass over a buffer full of short ASCII strings. Internal.
#pragma once

#include <cstdint>
#include <string_view>

#include "services/lib/otlp/wire.h"

namespace spanway::otlp {

// The first byte of [p, end) that is not ASCII, or `end`.
wire::Ptr ascii_end(wire::Ptr p, wire::Ptr end) noexcept;
// Strict: no surrogates, no over-long forms, nothing above U+10FFFF. NUL is allowed.
bool is_utf8(wire::Ptr p, wire::Ptr end) noexcept;
inline bool is_utf8(std::string_view text) noexcept {
  return is_utf8(wire::begin_of(text), wire::end_of(text));
}

// Validates strings of one buffer, in ascending order. It reads ahead: once a run of ASCII has been
// measured, all strings inside it cost one comparison, and each byte is read once.
// Single-thread; the buffer outlives it.
class Utf8Run {
 public:
  explicit Utf8Run(std::string_view buffer) noexcept
      : run_end_(wire::begin_of(buffer)), buffer_end_(wire::end_of(buffer)) {}
  // [p, end) lies in the buffer and not before any string checked earlier.
  bool valid(wire::Ptr p, wire::Ptr end) noexcept {
    if (end <= run_end_) [[likely]]
      return true;
    return valid_outside(p, end);
  }

 private:
  bool valid_outside(wire::Ptr p, wire::Ptr end) noexcept;

  wire::Ptr run_end_;  // No byte between the last string checked and here is outside ASCII.
  wire::Ptr buffer_end_;
};

}  // namespace spanway::otlp
