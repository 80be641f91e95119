// A password, token or key. It cannot be printed by accident.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace spanway {

// Immutable once created. reveal() is called only where the value is handed to the library or the
// socket that needs it.
class Secret {
 public:
  Secret() = default;
  // `file`: the text with each ${file:path} that the value was made of (config/secret_reloader.h).
  explicit Secret(std::string value, std::string file = "")
      : value_(std::move(value)), file_(std::move(file)) {}
  const std::string& reveal() const noexcept { return value_; }
  // Empty when no part of the value comes from a file. May hold other parts of the secret.
  const std::string& file() const noexcept { return file_; }
  bool empty() const noexcept { return value_.empty(); }
  std::string_view redacted() const noexcept { return value_.empty() ? "" : "***"; }
  bool operator==(const Secret& other) const noexcept = default;

 private:
  std::string value_;
  std::string file_;
};

}  // namespace spanway
