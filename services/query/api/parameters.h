// The parameters of a request: of its URL's query and of a form in its body.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::query {

// In the order in which they came; a name may occur several times. External lock.
class Parameters {
 public:
  static constexpr std::size_t kCountMax = 4096;

  // Adds what "a=1&b=x%20y&b=z+z" holds; '+' is a space. INVALID_ARGUMENT, data, "bad_parameters"
  // for a broken escape and for more than kCountMax.
  Status parse(std::string_view text);
  void add(std::string name, std::string value) {
    all_.emplace_back(std::move(name), std::move(value));
  }
  // The first value; nothing when there is none.
  std::optional<std::string_view> find(std::string_view name) const;
  // The first value, or "".
  std::string_view get(std::string_view name) const { return find(name).value_or(""); }
  std::vector<std::string_view> all(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

}  // namespace spanway::query
