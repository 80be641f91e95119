#include "services/lib/http/accept_encoding.h"

#include <algorithm>

#include "services/lib/base/ascii.h"

namespace spanway::http {

bool accepts_gzip(std::string_view header) noexcept {
  while (!header.empty()) {
    const std::string_view element = header.substr(0, header.find(','));
    header.remove_prefix(std::min(element.size() + 1, header.size()));
    const std::size_t name_end = std::min(element.find(';'), element.size());
    if (!equals_ignoring_case(trim(element.substr(0, name_end)), "gzip")) continue;
    // "q=0", "q=0.000": not at all.
    const std::string_view weight = trim(element.substr(std::min(name_end + 1, element.size())));
    return !weight.starts_with("q=0") ||
           weight.find_first_of("123456789") != std::string_view::npos;
  }
  return false;
}

}  // namespace spanway::http
