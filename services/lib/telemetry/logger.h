// Structured logs: one line per event, key=value or JSON, to standard error.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/clock.h"

namespace spanway::telemetry {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// One key and its value, already printable. Never pass a secret or a payload.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), bare(true) {}
  LogField(std::string_view k, double v);
  LogField(std::string_view k, std::int64_t v) : key(k), value(std::to_string(v)), bare(true) {}
  LogField(std::string_view k, std::uint64_t v) : key(k), value(std::to_string(v)), bare(true) {}
  LogField(std::string_view k, int v) : key(k), value(std::to_string(v)), bare(true) {}
  LogField(std::string_view k, unsigned v) : key(k), value(std::to_string(v)), bare(true) {}

  std::string_view key;
  std::string value;
  bool bare = false;  // A number or a boolean: printed without quotes.
};
// A line of level warn or error: message and fields as key=value, at most 1 KiB.
struct RecentError {
  SystemTime time{};
  LogLevel level = LogLevel::kError;
  std::string text;
};
using LogFields = std::initializer_list<LogField>;

// Thread-safe. Messages are sentences in sentence case, without a full stop. Copyable handle.
//   log.info("Listening", {{"address", address}, {"port", port}});
// Nothing in a message or a value can break out of its line or its quotes: control characters,
// bidirectional controls and bad UTF-8 are escaped, values above 4 KiB are cut.
class Logger {
 public:
  struct Options {
    LogLevel level = LogLevel::kInfo;
    bool json = false;
    // Added to every line: the service ("ingress").
    std::string service = {};
    // For tests: receives each line without its newline, one call at a time.
    std::function<void(std::string_view line)> write = nullptr;
    const Clock* clock = &system_clock();
  };
  // Writes to standard error, one write per line.
  static Logger create(Options options);
  // Discards everything; for tests.
  static Logger null();

  void debug(std::string_view message, LogFields fields = {}) const {
    log(LogLevel::kDebug, message, fields);
  }
  void info(std::string_view message, LogFields fields = {}) const {
    log(LogLevel::kInfo, message, fields);
  }
  void warn(std::string_view message, LogFields fields = {}) const {
    log(LogLevel::kWarn, message, fields);
  }
  void error(std::string_view message, LogFields fields = {}) const {
    log(LogLevel::kError, message, fields);
  }
  // For the data path: at most one line per `site` (a literal) every 10 s; the next line that is
  // let through says how many were suppressed. At most 1024 sites have a limit of their own.
  void limited(LogLevel level, const char* site, std::string_view message,
               LogFields fields = {}) const;
  void log(LogLevel level, std::string_view message, LogFields fields) const;
  bool enabled(LogLevel level) const noexcept;

  // Takes effect at once, for all copies of the handle.
  void set_level(LogLevel level) const noexcept;
  LogLevel level() const noexcept;
  // The last 16 warnings and errors that were written, oldest first, for /statusz.
  std::vector<RecentError> recent_errors() const;

 private:
  struct Impl;
  explicit Logger(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace spanway::telemetry
