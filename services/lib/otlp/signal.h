// The three OTLP signals and the names that go with each.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace spanway::otlp {

enum class Signal : unsigned char { kTraces = 0, kMetrics = 1, kLogs = 2 };
inline constexpr std::array<Signal, 3> kSignals = {Signal::kTraces, Signal::kMetrics,
                                                   Signal::kLogs};

constexpr std::size_t index_of(Signal signal) noexcept { return static_cast<std::size_t>(signal); }
// "traces", "metrics", "logs".
constexpr std::string_view to_string(Signal signal) noexcept {
  constexpr std::array<std::string_view, 3> names = {"traces", "metrics", "logs"};
  return names[index_of(signal)];
}
// The name of its items: "spans", "data_points", "log_records".
constexpr std::string_view item_name(Signal signal) noexcept {
  constexpr std::array<std::string_view, 3> names = {"spans", "data_points", "log_records"};
  return names[index_of(signal)];
}
// The OTLP/HTTP path: "/v1/traces".
constexpr std::string_view http_path(Signal signal) noexcept {
  constexpr std::array<std::string_view, 3> paths = {"/v1/traces", "/v1/metrics", "/v1/logs"};
  return paths[index_of(signal)];
}
// The gRPC method path.
constexpr std::string_view grpc_path(Signal signal) noexcept {
  constexpr std::array<std::string_view, 3> paths = {
      "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
      "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
      "/opentelemetry.proto.collector.logs.v1.LogsService/Export"};
  return paths[index_of(signal)];
}

}  // namespace spanway::otlp
