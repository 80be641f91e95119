#include "services/lib/clickhouse/late_exception.h"

#include <charconv>
#include <string>

#include "services/lib/clickhouse/exception.h"

namespace spanway::clickhouse {

std::optional<Error> find_late_exception(std::string_view answer, std::string_view tag) {
  constexpr std::string_view kCode = "Code: ";
  if (tag.empty()) return std::nullopt;
  const std::string mark = "__exception__\r\n" + std::string(tag) + "\r\n";
  const std::size_t begin = answer.rfind(mark);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::string_view text = answer.substr(begin + mark.size());
  int code = 0;
  if (text.starts_with(kCode))
    std::from_chars(text.data() + kCode.size(), text.data() + text.size(), code);
  return error_of(code, text);
}

}  // namespace spanway::clickhouse
