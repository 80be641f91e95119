// A configuration of a service with one key set, checked and started in this process.
#pragma once

#include <cctype>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "services/allinone/program.h"
#include "services/exporter/program.h"
#include "services/ingress/program.h"
#include "services/kafka-bridge/program.h"
#include "services/lib/config/load.h"
#include "services/lib/runtime/admin_server.h"
#include "services/lib/runtime/runtime_config.h"
#include "services/lib/runtime/start_check.h"
#include "services/query/program.h"

namespace spanway {

// "a.b[0].c" with the value v = "{a: {b: [{c: v}]}}".
inline std::string yaml_of(const std::string& path, const std::string& value) {
  std::string open, close;
  std::string name;
  const auto enter = [&] {
    if (name.empty()) return;
    open += "{" + name + ": ";
    close.insert(0, "}");
    name.clear();
  };
  for (const char c : path) {
    if (c == '.') {
      enter();
    } else if (c == '[') {
      enter();
      open += "[";
      close.insert(0, "]");
    } else if (c != ']' && c != '0') {
      name += c;
    }
  }
  enter();
  return open + value + close;
}

struct Variant {
  const char* name;
  std::function<runtime::Program()> make;
  // Other keys, as environment variables; a key that is tried itself is left out.
  std::map<std::string, std::string> base;
};

inline std::string variable_of(std::string path) {
  std::string name = "SPANWAY_";
  for (const char c : path)
    name += c == '.' ? std::string("__") : std::string(1, static_cast<char>(std::toupper(c)));
  return name;
}

class Attempt {
 public:
  Attempt(const Variant& variant, const std::string& path, const std::string& value)
      : program_(variant.make()), yaml_(yaml_of(path, value)) {
    sources_ = config::Sources::of_process();
    sources_.environment.clear();
    const std::string tried = variable_of(path);
    for (const auto& [key, text] : variant.base)
      if (const std::string name = variable_of(key); !name.starts_with(tried))
        sources_.environment[name] = text;
  }
  const std::string& yaml() const { return yaml_; }

  // The output of --check-config; empty = ok.
  std::string check() {
    return load(
        [this](config::Problems& problems) { runtime::check_start(program_, runtime_, problems); });
  }
  // The error of the start; empty = it runs.
  std::string start() {
    if (std::string problems = load(nullptr); !problems.empty()) return problems;
    telemetry::Metrics metrics;
    const telemetry::Telemetry telemetry{telemetry::Logger::null(), metrics};
    http::IoPool io("io", 1);
    const auto admin =
        runtime::AdminServer::create(runtime_.admin,
                                     {.readiness = [] { return runtime::Service::Readiness{}; },
                                      .status_json = [] { return std::string(); },
                                      .config_yaml = [] { return std::string(); }},
                                     io, telemetry);
    if (!admin.ok()) return admin.error().message;
    auto service = program_.create(runtime::ServiceDeps{io, telemetry, system_clock()});
    if (!service.ok()) return service.error().message;
    const Status started = (*service)->start();
    (*service)->stop_accepting();
    (*service)->drain(Deadline::after(system_clock(), Duration::zero()));
    return started.ok() ? "" : started.error().message;
  }

 private:
  std::string load(const std::function<void(config::Problems&)>& then) {
    const config::LoadReport report = config::load(
        yaml_, "f.yaml", sources_,
        [this](config::Binder& b) {
          program_.describe_config(b);
          describe(b, runtime_);
        },
        [&](config::Problems& problems) {
          validate(runtime_, problems);
          program_.validate(problems);
          if (then && problems.empty()) then(problems);
        });
    return config::format(report.problems, "f.yaml");
  }

  runtime::Program program_;
  runtime::RuntimeConfig runtime_;
  config::Sources sources_;
  std::string yaml_;
};

inline const std::map<std::string, std::string> kNoPorts = {{"admin.port", "0"},
                                                            {"admin.host", "127.0.0.1"}};
inline std::map<std::string, std::string> with(std::map<std::string, std::string> base) {
  base.insert(kNoPorts.begin(), kNoPorts.end());
  return base;
}

inline std::vector<Variant> variants() {
  const std::map<std::string, std::string> kafka = {{"kafka.brokers", "127.0.0.1:1"},
                                                    {"otlp.grpc.port", "0"}};
  auto produce = kafka, consume = kafka;
  produce["mode"] = "produce";
  consume["mode"] = "consume";
  std::vector<Variant> all = {
      {"ingress", ingress::make_program, with({{"otlp.grpc.port", "0"}, {"otlp.http.port", "0"}})},
      {"bridge_produce", kafka_bridge::make_program, with(produce)},
      {"bridge_consume", kafka_bridge::make_program, with(consume)},
      {"query", query::make_program, with({{"api.port", "0"}})},
      {"query_memory", query::make_program,
       with({{"api.port", "0"}, {"traces_from", "memory"}, {"stores.memory.grpc_port", "0"}})},
      {"allinone", allinone::make_program,
       with({{"run", "ingress,exporter"},
             {"ingress.otlp.grpc.port", "0"},
             {"ingress.otlp.http.port", "0"},
             {"exporter.otlp.grpc.port", "0"}})},
  };
  for (const char* type :
       {"otlp_grpc", "otlp_http", "zipkin", "file", "debug", "loki", "prometheus_remote_write"})
    all.push_back({type, exporter::make_program,
                   with({{"otlp.grpc.port", "0"}, {"destination.type", type}})});
  return all;
}

}  // namespace spanway
