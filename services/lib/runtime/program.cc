#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/base/file.h"
#include "services/lib/config/scalar.h"
#include "services/lib/http/events.h"
#include "services/lib/runtime/admin_server.h"
#include "services/lib/runtime/arguments.h"
#include "services/lib/runtime/events.h"
#include "services/lib/runtime/memory_watch.h"
#include "services/lib/runtime/process.h"
#include "services/lib/runtime/signal_watcher.h"
#include "services/lib/runtime/start_check.h"
#include "services/lib/runtime/stop_watchdog.h"
#include "services/lib/runtime/supervisor.h"
#include "services/lib/runtime/termination.h"

namespace spanway::runtime {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
// A stop that lasts longer than its delay, its drain and this is ended.
constexpr Duration kStopGrace = std::chrono::seconds(5);
constexpr std::size_t kConfigBytesMax = 1024 * 1024;

void print_out(const std::string& text) { std::fputs(text.c_str(), stdout); }
void print_error(const std::string& text) { std::fputs(text.c_str(), stderr); }

// "spanway-ingress" -> "ingress", the name in logs.
std::string short_name(const std::string& name) {
  constexpr std::string_view kPrefix = "spanway-";
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

Statusz with_errors(Statusz status, const telemetry::Telemetry& telemetry) {
  status.credential_errors = telemetry.credentials.list();
  status.errors.emplace();
  for (telemetry::RecentError& error : telemetry.log.recent_errors()) {
    status.errors->push_back({.time = error.time,
                              .level = error.level == telemetry::LogLevel::kWarn ? "warn" : "error",
                              .message = std::move(error.text)});
  }
  return status;
}

// One run of a program, from the command line to the exit code.
class Run {
 public:
  explicit Run(Program program) : program_(std::move(program)) {}

  int main(const std::vector<std::string>& words) {
    auto arguments = parse_arguments(program_, words);
    if (!arguments.ok()) {
      print_error(program_.name + ": " + arguments.error().message + "\n");
      return kExitUsage;
    }
    if (const auto done = print_static(*arguments)) return *done;
    const bool check = arguments->action == Arguments::Action::kCheckConfig;
    if (!load_config(arguments->config_file, check)) return kExitUsage;
    if (const auto done = print_loaded(*arguments)) return *done;
    if (arguments->command != nullptr) return arguments->command->run(arguments->command_arguments);
    return serve();
  }

 private:
  config::Describe describe_all() {
    return [this](config::Binder& b) {
      if (program_.describe_config) program_.describe_config(b);
      describe(b, runtime_);
    };
  }

  // Actions that need no configuration.
  std::optional<int> print_static(const Arguments& arguments) {
    switch (arguments.action) {
      case Arguments::Action::kHelp:
        print_out(help_text(program_, arguments.command));
        return kExitOk;
      case Arguments::Action::kVersion:
        print_out(program_.name + " " + SPANWAY_VERSION + "\n");
        return kExitOk;
      case Arguments::Action::kPrintSchema:
        print_out(config::json_schema(program_.name, describe_all()));
        return kExitOk;
      case Arguments::Action::kPrintConfigDoc:
        print_out("## " + program_.name + "\n\n" + program_.summary + "\n\n" +
                  config::markdown(describe_all()));
        return kExitOk;
      case Arguments::Action::kPrintMetrics:
        print_out(telemetry::metrics_markdown(all_metrics()));
        return kExitOk;
      case Arguments::Action::kToggleDebug:
        return signal_first_process();
      default:
        return std::nullopt;
    }
  }

  // In a container the service is process 1; elsewhere that is another program, which SIGHUP may
  // end.
  int signal_first_process() const {
    constexpr std::size_t kCommandBytesMax = 15;  // TASK_COMM_LEN of Linux, without the final zero.
    auto read = read_file("/proc/1/comm", 64);
    const std::string command(trim_end(read.ok() ? *read : "unknown", "\n"));
    if (command != program_.name.substr(0, kCommandBytesMax)) {
      print_error("process 1 is " + config::quote(command) + ", not " + program_.name +
                  ": run this in the container of the service, or send SIGHUP to its process\n");
      return kExitFailed;
    }
    if (kill(1, SIGHUP) != 0) {
      print_error("process 1 cannot be signalled: " + std::generic_category().message(errno) +
                  "\n");
      return kExitFailed;
    }
    print_out("sent SIGHUP to process 1: debug lines are on, or off again; its log says which\n");
    return kExitOk;
  }

  // Only the user of this process can send it a signal: no port changes the level.
  void toggle_debug(const telemetry::Logger& log) const {
    const bool on = log.level() != telemetry::LogLevel::kDebug;
    log.set_level(on ? telemetry::LogLevel::kDebug : runtime_.log.level);
    log.log(log.level(), "Log level changed by SIGHUP", {{"debug", on}});
  }

  std::vector<telemetry::MetricSpec> all_metrics() const {
    std::vector<telemetry::MetricSpec> all = program_.metrics;
    for (const auto specs :
         {http::metric_specs(), metric_specs(), telemetry::standard_metric_specs()})
      for (const telemetry::MetricSpec& spec : specs) {
        bool is_known = false;
        for (const telemetry::MetricSpec& known : all)
          is_known = is_known || std::string_view(known.name) == spec.name;
        if (!is_known) all.push_back(spec);
      }
    return all;
  }

  bool load_config(const std::string& file, bool check) {
    std::string yaml;
    if (!file.empty()) {
      auto content = read_file(file, kConfigBytesMax);  // Also from a pipe.
      if (!content.ok()) {
        const bool large = std::string_view(content.error().reason) == kFileTooLarge;
        fail(file + (large ? ": the file is larger than 1 MiB"
                           : ": the configuration cannot be read; check that --config names a file "
                             "that exists, and its permissions"));
        return false;
      }
      yaml = std::move(*content);
    }
    file_name_ = file.empty() ? "(no --config)" : file;
    config::LoadReport report =
        config::load(yaml, file_name_, config::Sources::of_process(), describe_all(),
                     [this, check](config::Problems& problems) {
                       validate(runtime_, problems);
                       if (program_.validate) program_.validate(problems);
                       if (check && problems.empty()) check_start(program_, runtime_, problems);
                     });
    warnings_ = std::move(report.warnings);
    if (report.problems.empty()) return true;
    for (const std::string& warning : warnings_) print_error("warning: " + warning + "\n");
    const std::string problems = config::format(report.problems, file_name_);
    fail(problems.substr(0, problems.size() - 1), problems.substr(0, problems.find('\n')));
    return false;
  }

  std::optional<int> print_loaded(const Arguments& arguments) {
    if (arguments.action == Arguments::Action::kCheckConfig) {
      for (const std::string& warning : warnings_) print_error("warning: " + warning + "\n");
      print_out(file_name_ + ": ok\n");
      return kExitOk;
    }
    if (arguments.action == Arguments::Action::kPrintConfig) {
      print_out(config::print(describe_all()));
      return kExitOk;
    }
    return std::nullopt;
  }

  // Before there is a logger.
  void fail(const std::string& text, const std::string& reason) {
    print_error(text + "\n");
    write_termination_message(kTerminationLog, reason);
  }
  void fail(const std::string& text) { fail(text, text); }

  int serve() {
    const telemetry::Logger log =
        telemetry::Logger::create({.level = runtime_.log.level,
                                   .json = runtime_.log.format == LogConfig::Format::kJson,
                                   .service = short_name(program_.name)});
    const Ending ending = serve_logged(log);
    if (ending.exit_code == kExitOk) {
      log.info("Stopped");
    } else {
      write_termination_message(kTerminationLog, ending.reason);
      log.error("Failed", {{"reason", redact(ending.reason)}});
    }
    return ending.exit_code;
  }

  Ending serve_logged(const telemetry::Logger& log) {
    log.info("Starting", {{"version", SPANWAY_VERSION}, {"config", file_name_}});
    for (const std::string& warning : warnings_)
      log.warn("Configuration warning", {{"warning", warning}});
    telemetry::Metrics metrics;
    const telemetry::Telemetry telemetry{log, metrics};
    try {
      return serve_observed(telemetry);
    } catch (const std::exception& e) {
      // A third party's exception that no module caught: a bug, but not a reason to leave silently.
      count_bug("uncaught_exception");
      return {kExitFailed, std::string("unexpected error: ") + e.what()};
    }
  }

  Ending serve_observed(const telemetry::Telemetry& telemetry) {
    StopSignal stop;
    auto signals = SignalWatcher::create(
        {.stop = [&stop](const char* name) { stop.request(name); },
         .stop_again =
             [](const char*) {
               constexpr std::string_view kText = "second signal: ending at once\n";
               [[maybe_unused]] const auto n = write(STDERR_FILENO, kText.data(), kText.size());
               _exit(kExitFailed);
             },
         .hang_up = [this, &telemetry] { toggle_debug(telemetry.log); }});
    if (!signals.ok()) return {kExitFailed, signals.error().message};

    // The last to be destroyed: it covers the end of the services, too.
    StopWatchdog watchdog(runtime_.shutdown_delay + runtime_.drain_timeout + kStopGrace,
                          [this, &telemetry] { end_at_once(telemetry.log); });
    const std::size_t threads =
        runtime_.io_threads == 0 ? usable_cores() : static_cast<std::size_t>(runtime_.io_threads);
    http::IoPool io("io", threads);
    http::IoPool admin_io("admin", 1);
    Host host(telemetry);
    auto admin = AdminServer::create(
        runtime_.admin,
        {.readiness = [&host] { return host.readiness(); },
         .status_json = [&host,
                         &telemetry] { return to_json(with_errors(host.status(), telemetry)); },
         .config_yaml = [text = config::print(describe_all())] { return text; }},
        admin_io, telemetry);
    if (!admin.ok())
      return {kExitFailed, "the admin port cannot be opened: " + admin.error().message};

    telemetry.log.info("Admin port open", {{"host", runtime_.admin.host},
                                           {"port", unsigned{(*admin)->port()}},
                                           {"metrics_port", unsigned{(*admin)->metrics_port()}}});

    const std::uint64_t limit = program_.memory_limit ? program_.memory_limit() : 0;
    MemoryGate gate(limit);
    auto service =
        program_.create(ServiceDeps{io, telemetry, system_clock(), limit == 0 ? nullptr : &gate});
    if (!service.ok()) return {kExitFailed, "cannot start: " + service.error().message};
    host.add(short_name(program_.name), std::move(*service));
    std::unique_ptr<MemoryWatch> watch;
    if (limit != 0) {
      tune_malloc(limit);
      watch = MemoryWatch::start(gate, system_clock(), telemetry, [&host] { host.shed_load(); });
    }
    Ending ending =
        supervise(host, stop,
                  {.shutdown_delay = runtime_.shutdown_delay,
                   .drain_timeout = runtime_.drain_timeout,
                   .on_stopping = [&watchdog] { watchdog.arm(); }},
                  telemetry, system_clock(), [](Duration wait) { StopSignal().wait_for(wait); });
    (*admin)->stop();
    return ending;
  }

  [[noreturn]] void end_at_once(const telemetry::Logger& log) const {
    const std::string reason =
        "the stop did not end within drain_timeout (" +
        config::format_duration(runtime_.drain_timeout) + ") and " +
        config::format_duration(kStopGrace) +
        " more: a server, most often Kafka, does not answer. What is not committed is delivered "
        "again";
    write_termination_message(kTerminationLog, reason);
    log.error("Failed", {{"reason", reason}});
    std::fflush(nullptr);
    _exit(kExitFailed);
  }

  Program program_;
  RuntimeConfig runtime_;
  std::string file_name_;
  std::vector<std::string> warnings_;
};

}  // namespace

int run_program(Program program, int argc, char** argv) {
  block_signals();
  tune_malloc();
  raise_open_files();
  const int exit_code = Run(std::move(program))
                            .main(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  std::fflush(stdout);
  return exit_code;
}

}  // namespace spanway::runtime
