#include "services/lib/http/server/http_date.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace spanway::http {
namespace {

constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Cache {
  std::time_t second = -1;
  std::array<char, 40> text{};
  std::size_t size = 0;
};

}  // namespace

std::string_view http_date(const Clock& clock) {
  thread_local Cache cache;
  const std::time_t second =
      std::chrono::duration_cast<std::chrono::seconds>(clock.system_now().time_since_epoch())
          .count();
  if (second != cache.second) {
    std::tm parts{};
    gmtime_r(&second, &parts);
    const int size =
        std::snprintf(cache.text.data(), cache.text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                      kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                      kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                      parts.tm_hour, parts.tm_min, parts.tm_sec);
    cache.second = second;
    cache.size = static_cast<std::size_t>(size);
  }
  return {cache.text.data(), cache.size};
}

}  // namespace spanway::http
