#include "services/load/report.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "services/load/item_id.h"
#include "services/load/latency_json.h"

namespace spanway::load {
namespace {

double seconds(Duration duration) noexcept {
  return std::chrono::duration<double>(duration).count();
}

double milliseconds(Duration duration) noexcept { return 1e3 * seconds(duration); }

double per_second(const Report& report) noexcept {
  const double took = seconds(report.took);
  return took > 0 ? static_cast<double>(report.acknowledged) / took : 0;
}

std::string number(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

}  // namespace

void Report::merge(const Report& other) {
  took = std::max(took, other.took);
  requests += other.requests;
  attempts += other.attempts;
  bytes += other.bytes;
  acknowledged += other.acknowledged;
  rejected += other.rejected;
  failed += other.failed;
  unsent += other.unsent;
  latency.merge(other.latency);
  for (const auto& [code, count] : other.errors) errors[code] += count;
  if (first_error.empty()) first_error = other.first_error;
}

std::string to_json(const Report& report) {
  std::string text;
  JsonWriter json(text);
  const auto decimal = [&json](std::string_view name, double value) {
    json.key(name).fixed(value, kReportDecimals);
  };
  json.begin_object().member("run", to_hex(report.run)).member("endpoint", report.endpoint);
  decimal("rate", report.rate);
  decimal("seconds", seconds(report.took));
  decimal("items_per_second", per_second(report));
  json.member("acknowledged", report.acknowledged)
      .member("rejected", report.rejected)
      .member("failed", report.failed)
      .member("unsent", report.unsent)
      .member("requests", report.requests)
      .member("attempts", report.attempts)
      .member("bytes", report.bytes);
  decimal("cpu_seconds", report.cpu_seconds);
  write_latency(json, report.latency);
  json.begin_object("errors");
  for (const auto& [code, count] : report.errors) json.member(to_string(code), count);
  json.end_object().member("first_error", report.first_error).end_object();
  return text;
}

std::string to_text(const Report& report) {
  std::string text = "run " + to_hex(report.run) + " to " + report.endpoint + "\n";
  const auto line = [&text](const char* name, const std::string& value) {
    std::string padded = name;
    padded.resize(14, ' ');
    text += "  " + padded + value + "\n";
  };
  line("acknowledged", std::to_string(report.acknowledged) + " items in " +
                           number("%.2f s", seconds(report.took)) +
                           number(" (%.0f/s)", per_second(report)));
  line("rejected", std::to_string(report.rejected));
  line("failed", std::to_string(report.failed));
  line("unsent", std::to_string(report.unsent));
  line("requests", std::to_string(report.requests) + " in " + std::to_string(report.attempts) +
                       " attempts, " + number("%.1f MB", static_cast<double>(report.bytes) / 1e6));
  line("latency ms", number("p50 %.2f", milliseconds(report.latency.quantile(0.5))) +
                         number("  p90 %.2f", milliseconds(report.latency.quantile(0.9))) +
                         number("  p99 %.2f", milliseconds(report.latency.quantile(0.99))) +
                         number("  p99.9 %.2f", milliseconds(report.latency.quantile(0.999))) +
                         number("  max %.2f", milliseconds(report.latency.max())));
  line("CPU", number("%.2f s", report.cpu_seconds));
  for (const auto& [code, count] : report.errors) {
    line("answers", std::string(to_string(code)) + " " + std::to_string(count));
  }
  if (!report.first_error.empty()) line("first error", report.first_error);
  return text;
}

}  // namespace spanway::load
