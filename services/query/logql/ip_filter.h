// Addresses in a text that lie in a range. Private to this folder.
#pragma once

#include <array>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::query::logql {

// Immutable and thread-safe.
class IpFilter {
 public:
  // "192.168.0.1", "192.168.0.0/16", "192.168.0.1-192.168.0.23", and IPv6 alike. INVALID_ARGUMENT,
  // data, for anything else.
  static Result<IpFilter> create(std::string_view pattern);
  // True when the text has an address of the range.
  bool matches(std::string_view text) const;

  struct Address {
    bool is_v6 = false;
    std::array<unsigned char, 16> bytes{};
    auto operator<=>(const Address&) const = default;
  };

 private:
  IpFilter(Address first, Address last) : first_(first), last_(last) {}
  Address first_, last_;
};

}  // namespace spanway::query::logql
