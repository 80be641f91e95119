#include "operator/reconcile/upgrade_pacer.h"

#include <array>
#include <chrono>

namespace spanway::reconcile {
namespace {

constexpr int kDayMinutes = 24 * 60;
constexpr unsigned kEveryDay = 0x7f;
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

std::optional<int> minute_of(std::string_view text) {
  const auto digit = [&text](std::size_t at) { return text[at] - '0'; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  for (const std::size_t at : {0U, 1U, 3U, 4U})
    if (digit(at) < 0 || digit(at) > 9) return std::nullopt;
  const int hours = digit(0) * 10 + digit(1);
  const int minutes = digit(3) * 10 + digit(4);
  if (hours > 23 || minutes > 59) return std::nullopt;
  return hours * 60 + minutes;
}

std::optional<unsigned> days_of(std::string_view text) {
  unsigned days = 0;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    unsigned bit = 0;
    for (std::size_t i = 0; i < kDays.size(); ++i)
      if (kDays[i] == name) bit = 1U << i;
    if (bit == 0) return std::nullopt;
    days |= bit;
  }
  return days;
}

}  // namespace

std::optional<MaintenanceWindow> MaintenanceWindow::parse(std::string_view text) {
  MaintenanceWindow window;
  window.days = kEveryDay;
  if (const std::size_t space = text.find(' '); space != std::string_view::npos) {
    const auto days = days_of(text.substr(0, space));
    if (!days || *days == 0) return std::nullopt;
    window.days = *days;
    text = text.substr(space + 1);
  }
  if (text.size() != 11 || text[5] != '-') return std::nullopt;
  const auto begin = minute_of(text.substr(0, 5));
  const auto end = minute_of(text.substr(6));
  if (!begin || !end || *begin == *end) return std::nullopt;
  window.begin_minute = *begin;
  window.end_minute = *end;
  return window;
}

bool MaintenanceWindow::is_open(SystemTime now) const {
  const auto minutes = std::chrono::floor<std::chrono::minutes>(now.time_since_epoch()).count();
  const auto day = minutes / kDayMinutes;
  const int minute = static_cast<int>(minutes % kDayMinutes);
  // 1 January 1970 was a Thursday.
  const auto is_day = [&](std::int64_t which) { return (days >> ((which + 4) % 7) & 1U) != 0; };
  if (begin_minute < end_minute)
    return is_day(day) && minute >= begin_minute && minute < end_minute;
  return (is_day(day) && minute >= begin_minute) || (is_day(day - 1) && minute < end_minute);
}

std::string UpgradePacer::admit(const kube::ObjectKey& pipeline, SystemTime now) {
  MutexLock lock(mutex_);
  if (rolling_.contains(pipeline)) return "";
  if (rules_.window && !rules_.window->is_open(now)) return "waits for the maintenance window";
  if (rules_.concurrent_max > 0 &&
      rolling_.size() >= static_cast<std::size_t>(rules_.concurrent_max))
    return "waits for other Pipelines: " + std::to_string(rules_.concurrent_max) +
           " are upgraded at once";
  rolling_.insert(pipeline);
  return "";
}

void UpgradePacer::done(const kube::ObjectKey& pipeline) {
  MutexLock lock(mutex_);
  rolling_.erase(pipeline);
}

}  // namespace spanway::reconcile
