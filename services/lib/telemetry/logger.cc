#include "services/lib/telemetry/logger.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cmath>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "services/lib/base/json_writer.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/rfc3339.h"

namespace spanway::telemetry {
namespace {

constexpr std::size_t kMessageBytesMax = 4 * 1024;
constexpr std::size_t kValueBytesMax = 4 * 1024;
constexpr std::size_t kSitesMax = 1024;
constexpr std::size_t kRecentMax = 16;
constexpr std::size_t kRecentBytesMax = 1024;
constexpr Duration kSuppressFor = std::chrono::seconds(10);

// Hands whole lines to a function; the base class serialises the calls.
class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_({message.payload.data(), message.payload.size()});
  }
  void flush_() override {}
  std::function<void(std::string_view)> write_;
};

spdlog::level::level_enum to_spdlog(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

const char* level_name(LogLevel level, bool json) noexcept {
  switch (level) {
    case LogLevel::kDebug:
      return json ? "debug" : "DEBUG";
    case LogLevel::kInfo:
      return json ? "info" : "INFO ";
    case LogLevel::kWarn:
      return json ? "warn" : "WARN ";
    case LogLevel::kError:
      return json ? "error" : "ERROR";
  }
  return "";
}

// True when `text` needs no quotes in a key=value line.
bool is_plain_word(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
      return false;
  return true;
}

void append_quoted(std::string& out, std::string_view text, std::size_t bytes_max) {
  out += '"';
  append_json_escaped(out, text, bytes_max);
  out += '"';
}

// The message and its fields, key=value.
void append_event(std::string& line, std::string_view message, std::span<const LogField> fields) {
  append_json_escaped(line, message, kMessageBytesMax);
  for (const LogField& field : fields) {
    line += ' ';
    append_json_escaped(line, field.key, kValueBytesMax);
    line += '=';
    // A value that escaping changes is quoted: it must differ from the same text written with
    // backslashes.
    std::string escaped;
    append_json_escaped(escaped, field.value, kValueBytesMax);
    const bool plain = field.bare || (is_plain_word(field.value) && escaped == field.value);
    line += plain ? escaped : "\"" + escaped + "\"";
  }
}

std::string text_line(SystemTime now, LogLevel level, const std::string& service,
                      std::string_view message, std::span<const LogField> fields) {
  std::string line = to_rfc3339(now) + " " + level_name(level, false) + " ";
  append_json_escaped(line, service, kValueBytesMax);
  line += "  ";
  append_event(line, message, fields);
  return line;
}

std::string json_line(SystemTime now, LogLevel level, const std::string& service,
                      std::string_view message, std::span<const LogField> fields) {
  std::string line = "{\"time\":\"" + to_rfc3339(now) + "\",\"level\":\"" +
                     level_name(level, true) + "\",\"service\":";
  append_quoted(line, service, kValueBytesMax);
  line += ",\"message\":";
  append_quoted(line, message, kMessageBytesMax);
  for (const LogField& field : fields) {
    line += ',';
    append_quoted(line, field.key, kValueBytesMax);
    line += ':';
    if (field.bare) {
      line += field.value;
    } else {
      append_quoted(line, field.value, kValueBytesMax);
    }
  }
  return line + "}";
}

std::string number_text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return buffer;
}

}  // namespace

// JSON has no NaN and no infinity: those are quoted.
LogField::LogField(std::string_view k, double v)
    : key(k), value(number_text(v)), bare(std::isfinite(v)) {}

struct Logger::Impl {
  struct Site {
    SteadyTime last;
    std::uint64_t suppressed = 0;
  };

  Impl(Options given, std::shared_ptr<spdlog::sinks::sink> sink)
      : options(std::move(given)), logger("spanway", std::move(sink)) {
    logger.set_level(to_spdlog(options.level));
    logger.set_formatter(
        std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc));
  }

  void write(LogLevel level, std::string_view message, std::span<const LogField> fields) {
    const SystemTime now = options.clock->system_now();
    const std::string line = options.json ? json_line(now, level, options.service, message, fields)
                                          : text_line(now, level, options.service, message, fields);
    logger.log(to_spdlog(level), spdlog::string_view_t(line));
    if (level >= LogLevel::kWarn) remember(now, level, message, fields);
  }

  void remember(SystemTime now, LogLevel level, std::string_view message,
                std::span<const LogField> fields) {
    std::string text;
    append_event(text, message, fields);
    if (text.size() > kRecentBytesMax) text.resize(kRecentBytesMax);
    MutexLock lock(mutex);
    if (recent.size() == kRecentMax) recent.pop_front();
    recent.push_back({now, level, std::move(text)});
  }

  // How many lines were suppressed since the last one, or nothing when this one is, too.
  std::optional<std::uint64_t> admit(const char* site) {
    const SteadyTime now = options.clock->now();
    MutexLock lock(mutex);
    const auto found = sites.find(std::string_view(site));
    if (found == sites.end()) {
      if (sites.size() < kSitesMax) sites.emplace(site, Site{now, 0});
      return 0;
    }
    if (now - found->second.last < kSuppressFor) {
      ++found->second.suppressed;
      return std::nullopt;
    }
    found->second.last = now;
    return std::exchange(found->second.suppressed, 0);
  }

  const Options options;
  spdlog::logger logger;
  Mutex mutex;
  std::map<std::string, Site, std::less<>> sites SPANWAY_GUARDED_BY(mutex);
  std::deque<RecentError> recent SPANWAY_GUARDED_BY(mutex);
};

Logger::Logger(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Logger Logger::create(Options options) {
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (options.write) {
    sink = std::make_shared<FunctionSink>(options.write);
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  return Logger(std::make_shared<Impl>(std::move(options), std::move(sink)));
}

Logger Logger::null() { return Logger(nullptr); }

void Logger::limited(LogLevel level, const char* site, std::string_view message,
                     LogFields fields) const {
  if (!enabled(level)) return;
  const auto suppressed = impl_->admit(site);
  if (!suppressed) return;
  if (*suppressed == 0) {
    impl_->write(level, message, fields);
    return;
  }
  std::vector<LogField> with_count(fields);
  with_count.emplace_back("suppressed", *suppressed);
  impl_->write(level, message, with_count);
}

void Logger::log(LogLevel level, std::string_view message, LogFields fields) const {
  if (enabled(level)) impl_->write(level, message, fields);
}

std::vector<RecentError> Logger::recent_errors() const {
  if (impl_ == nullptr) return {};
  MutexLock lock(impl_->mutex);
  return {impl_->recent.begin(), impl_->recent.end()};
}

void Logger::set_level(LogLevel level) const noexcept {
  if (impl_ != nullptr) impl_->logger.set_level(to_spdlog(level));
}

LogLevel Logger::level() const noexcept {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn})
    if (enabled(level)) return level;
  return LogLevel::kError;
}

bool Logger::enabled(LogLevel level) const noexcept {
  return impl_ != nullptr && impl_->logger.should_log(to_spdlog(level));
}

}  // namespace spanway::telemetry
