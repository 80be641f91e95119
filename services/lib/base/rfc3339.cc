#include "services/lib/base/rfc3339.h"

#include <cstdio>
#include <ctime>

namespace spanway {

std::string to_rfc3339(SystemTime time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch - seconds);
  const std::time_t whole_seconds = seconds.count();
  std::tm utc{};
  gmtime_r(&whole_seconds, &utc);
  char buffer[80];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                static_cast<int>(millis.count()));
  return buffer;
}

std::string unix_nano_to_rfc3339(std::int64_t unix_nano) {
  return to_rfc3339(SystemTime(std::chrono::nanoseconds(unix_nano)));
}

}  // namespace spanway
