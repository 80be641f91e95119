#include "services/lib/runtime/runtime_config.h"

#include <utility>

#include "services/lib/config/endpoint.h"

namespace spanway::runtime {

void describe(config::Binder& b, AdminConfig& c) {
  b.key("host", c.host, {.doc = "Address of the admin port."});
  b.key("port", c.port,
        {.doc = "Port of /healthz, /livez, /readyz, /metrics, /configz and /statusz; 0 takes a "
                "free one.",
         .alias = "HTTP_PORT"});
  b.key("metrics_port", c.metrics_port,
        {.doc = "A further port that serves /metrics and nothing else; 0 = none."});
}

void describe(config::Binder& b, LogConfig& c) {
  b.key("level", c.level, {"debug", "info", "warn", "error"},
        {.doc = "The least important lines to write; SIGHUP switches to debug and back.",
         .alias = "LOG_LEVEL"});
  b.key("format", c.format, {"text", "json"},
        {.doc = "key=value lines or one JSON object a line."});
}

namespace {

// The section `runtime`, which is a part of RuntimeConfig.
struct RuntimeSection {
  RuntimeConfig& config;
};

void describe(config::Binder& b, RuntimeSection& section) {
  RuntimeConfig& c = section.config;
  b.key("io_threads", c.io_threads,
        {.doc = "Threads for network I/O; 0 = one per core that the process may use.",
         .min = 0,
         .max = 256});
  b.key("drain_timeout", c.drain_timeout,
        {.doc = "How long a stopping process waits for what it has in flight.",
         .min = 0,
         .max = 3'600'000});
  b.key("shutdown_delay", c.shutdown_delay,
        {.doc = "Wait between \"not ready\" and closing the ports, so that load balancers stop "
                "sending first. Together with drain_timeout below the pod's grace period.",
         .min = 0,
         .max = 600'000});
}

}  // namespace

void describe(config::Binder& b, RuntimeConfig& c) {
  b.section("admin", c.admin,
            "The admin port. It has no authentication: keep it inside the cluster.");
  b.section("log", c.log, "Logs go to standard error.");
  RuntimeSection section{c};
  b.section("runtime", section, "Threads and shutdown.");
}

void validate(const RuntimeConfig& c, config::Problems& problems) {
  if (std::string problem = config::listen_host_problem(c.admin.host); !problem.empty())
    problems.add("admin.host", std::move(problem));
  if (c.admin.metrics_port != 0 && c.admin.metrics_port == c.admin.port)
    problems.add("admin.metrics_port",
                 "is the same as admin.port, which serves /metrics anyway; remove it");
}

}  // namespace spanway::runtime
