#include "operator/api/authority.h"

#include <algorithm>

#include "services/lib/config/scalar.h"

namespace spanway::api {

bool is_authority(std::string_view text, Port port) {
  constexpr std::string_view kName =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const bool is_bracketed = text.starts_with('[');
  const std::size_t end = is_bracketed ? text.find(']') : text.find(':');
  const std::string_view host = text.substr(is_bracketed ? 1 : 0, end - (is_bracketed ? 1 : 0));
  if (host.empty() || (is_bracketed && end == std::string_view::npos) ||
      host.find_first_not_of(is_bracketed ? "0123456789ABCDEFabcdef:." : kName) !=
          std::string_view::npos)
    return false;
  const std::size_t after = is_bracketed ? end + 1 : std::min(end, text.size());
  if (after == text.size()) return port == Port::kOptional;
  const std::string_view number = text.substr(after + 1);
  const auto value = config::parse_int(number);
  return text[after] == ':' && number.size() <= 5 && value && *value >= 1 && *value <= 65535 &&
         number.front() >= '1' && number.front() <= '9';
}

}  // namespace spanway::api
