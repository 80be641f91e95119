// A service as the host sees it, and the main function that all binaries share.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_gate.h"
#include "services/lib/base/result.h"
#include "services/lib/config/load.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/runtime/runtime_config.h"
#include "services/lib/runtime/statusz.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::runtime {

// The listeners of a process that is only checked. They take free ports instead of the configured
// ones, which may be in use by the service that runs now. Single-thread.
class ListenerCheck {
 public:
  // Notes the configured port and returns 0, a free one.
  std::uint16_t add(const std::string& host, std::uint16_t port);
  // Ports that two listeners of the process would need.
  const std::set<std::uint16_t>& conflicts() const noexcept { return conflicts_; }

 private:
  std::vector<std::pair<std::string, std::uint16_t>> taken_;
  std::set<std::uint16_t> conflicts_;
};

// Given to every service; all outlive it.
struct ServiceDeps {
  http::IoPool& io;
  telemetry::Telemetry telemetry;
  const Clock& clock;
  // The process's; null where memory is not measured.
  const MemoryGate* memory = nullptr;
  // Set only to find out whether the service can start, for --check-config: create() then also
  // opens its listeners, and start() is not called.
  ListenerCheck* check = nullptr;
  // The port to listen on: `port`, or any free one while checking.
  std::uint16_t listen_port(const std::string& host, std::uint16_t port) const {
    return check == nullptr ? port : check->add(host, port);
  }
};

// Life: create (static, of the implementation) -> start -> stop_accepting -> drain -> destroy.
// Several services of one process are put together by a Host (host.h).
// stop_accepting and drain are idempotent and legal without start. Called by one thread.
class Service {
 public:
  virtual ~Service() = default;
  virtual Status start() = 0;
  // Sources first: no new work comes in.
  virtual void stop_accepting() = 0;
  // True when everything in flight was finished in time.
  virtual bool drain(Deadline deadline) = 0;

  // For the admin port; thread-safe. Ready latches (design: it falls only on drain or fatal error).
  struct Readiness {
    bool ready = false;
    std::string reason;  // Why not, for people; or how it is limited.
  };
  virtual Readiness readiness() const = 0;
  // Its part of /statusz.
  virtual Statusz status() const = 0;
  std::string status_json() const { return to_json(status()); }
  // Memory is at its limit and stays there: close the newest connections, drop what can be had
  // again. Thread-safe; called several times a second until it helps.
  virtual void shed_load() {}
  // Set when the process must end with an error (for example a fenced consumer); main exits 1.
  virtual Status fatal() const { return {}; }
};

// One binary. `describe_config`, `validate` and `create` share state (the config struct) through
// their captures. Optional members may be left out.
struct Program {
  std::string name;                  // "spanway-ingress"
  std::string summary;               // One line for --help.
  config::Describe describe_config;  // The service's own sections; RuntimeConfig is added.
  std::function<void(config::Problems&)> validate = nullptr;
  std::function<Result<std::unique_ptr<Service>>(const ServiceDeps&)> create;
  // Further sub-commands: `spanway-kafka-bridge topics apply --config ...`. Arguments after the
  // words of the command; the configuration is loaded before. Returns the exit code.
  struct Command {
    std::string words;  // "topics apply"
    std::string help;
    std::function<int(const std::vector<std::string>& arguments)> run;
    // Printed for --help beside the words of the command; without it, the help of the program.
    std::function<std::string()> usage = nullptr;
  };
  std::vector<Command> commands = {};
  // The tables of all components of the service, for --print-metrics. Those of every process are
  // added.
  std::vector<telemetry::MetricSpec> metrics = {};
  // memory_limit in bytes, once the configuration has been loaded; unset = no limit.
  std::function<std::uint64_t()> memory_limit = nullptr;
};

// --check-config runs what the start runs: it loads, validates, and creates the service
// (start_check.h), so that files and libraries have their say.
// --help, --version, --config FILE, --check-config, --print-config, --print-schema,
// --print-config-doc, --print-metrics; then runs until SIGTERM or SIGINT, drains, and returns the
// exit code: 0 clean, 1 failed at start, at run time or drained incompletely, 2 bad usage or
// configuration. A second signal ends at once with 1. Called once, by the main thread, before any
// other thread has started: signals are blocked first.
int run_program(Program program, int argc, char** argv);

}  // namespace spanway::runtime
