// A password, token or key. It cannot be printed by accident.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace spanway {

// Immutable once made. reveal() is called only where the value is handed to the library or the
// socket that needs it.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }
  std::string_view redacted() const noexcept { return value_.empty() ? "" : "***"; }
  bool operator==(const Secret& other) const noexcept = default;

 private:
  std::string value_;
};

}  // namespace spanway
