#include "services/lib/runtime/start_check.h"

#include <string>
#include <string_view>

#include "services/lib/runtime/admin_server.h"

namespace spanway::runtime {
namespace {

bool is_any_address(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

config::Problem problem_of(const Error& error) {
  config::Problem problem;
  std::string_view rest = error.message;
  while (true) {
    const std::size_t end = rest.find(": ");
    const std::string_view name = rest.substr(0, end);
    const bool is_name = end != std::string_view::npos && !name.empty() &&
                         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.[]") ==
                             std::string_view::npos;
    if (!is_name) break;
    problem.path += (problem.path.empty() ? "" : ".") + std::string(name);
    rest.remove_prefix(end + 2);
  }
  problem.message = rest;
  return problem;
}

AdminPages no_pages() {
  return {.readiness = [] { return Service::Readiness{}; },
          .status_json = [] { return std::string(); },
          .config_yaml = [] { return std::string(); }};
}

}  // namespace

std::uint16_t ListenerCheck::add(const std::string& host, std::uint16_t port) {
  if (port == 0) return 0;
  for (const auto& [other_host, other_port] : taken_) {
    const bool same = other_host == host || is_any_address(other_host) || is_any_address(host);
    if (other_port == port && same) conflicts_.insert(port);
  }
  taken_.emplace_back(host, port);
  return 0;
}

void check_start(const Program& program, const RuntimeConfig& runtime, config::Problems& problems) {
  telemetry::Metrics metrics;
  const telemetry::Telemetry telemetry{telemetry::Logger::null(), metrics};
  http::IoPool io("check", 1);
  ListenerCheck listeners;
  AdminConfig admin_config = runtime.admin;
  admin_config.port = listeners.add(admin_config.host, admin_config.port);
  if (admin_config.metrics_port != 0)
    admin_config.metrics_port = listeners.add(admin_config.host, admin_config.metrics_port);
  const auto admin = AdminServer::create(admin_config, no_pages(), io, telemetry);
  if (!admin.ok()) problems.add("admin.host", admin.error().message);
  const auto service =
      program.create(ServiceDeps{io, telemetry, system_clock(), nullptr, &listeners});
  if (!service.ok()) problems.add(problem_of(service.error()));
  for (const std::uint16_t port : listeners.conflicts())
    problems.add("", "port " + std::to_string(port) +
                         " is configured for two listeners of this process; give each its own");
}

}  // namespace spanway::runtime
