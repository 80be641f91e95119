// --check-config and the start must agree: whatever the check takes has to start, for every key of
// every service, each wrong in each way that its type allows.
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
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

namespace spanway {
namespace {

using Values = std::vector<std::string>;

// Mistaken values of strings, as YAML.
const Values kTexts = {"[]",
                       "{}",
                       "''",
                       "' '",
                       "'a b'",
                       "name",
                       "'name:'",
                       "'name:0'",
                       "'name:99999'",
                       "'name:4317'",
                       "':4317'",
                       "'http://name:4317'",
                       "'http://name:4317/v1/traces'",
                       "'https://user:pw@name'",
                       "'ftp://name'",
                       "127.0.0.1",
                       "999.1.1.1",
                       "203.0.113.7",
                       "'::1'",
                       "'/nonexistent/file.pem'",
                       "'/proc/self/status'",
                       "/",
                       "'*'",
                       "'a,b'",
                       "\"\\x01\"",
                       "\"\\xe9\"",
                       "\"a\\nb\"",
                       "'" + std::string(300, 'x') + "'"};

std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.0f", value);
  return text;
}

// Collects each key with the values to try, by the same declaration that loads them.
class KeyCollector final : public config::Binder {
 public:
  struct Key {
    std::string path;  // With list items as "[0]".
    Values values;
  };
  explicit KeyCollector(std::vector<Key>& keys, std::string path = "")
      : keys_(keys), path_(std::move(path)) {}

  using Binder::key;
  void key(std::string_view name, bool&, const config::KeyInfo&) override {
    add(name, {"true", "false", "maybe", "1", "[]", "{}", "'true'"});
  }
  void key(std::string_view name, std::int64_t&, const config::KeyInfo& info) override {
    add(name, bounded({"x", "1.5", "[]", "99999999999999999999", "-1", "0"}, info, ""));
  }
  void key(std::string_view name, double&, const config::KeyInfo& info) override {
    add(name, bounded({"x", "[]", ".nan", ".inf", "-1"}, info, ""));
  }
  void key(std::string_view name, std::string&, const config::KeyInfo&) override {
    add(name, kTexts);
  }
  void key(std::string_view name, Secret&, const config::KeyInfo&) override { add(name, kTexts); }
  void key(std::string_view name, Duration&, const config::KeyInfo& info) override {
    add(name, bounded({"5", "5 parsecs", "-1s", "[]", "soon"}, info, "ms"));
  }
  void key(std::string_view name, config::ByteSize&, const config::KeyInfo& info) override {
    add(name, bounded({"x", "5MB", "-1", "[]", "1.5MiB"}, info, ""));
  }
  void key(std::string_view name, std::vector<std::string>&, const config::KeyInfo&) override {
    Values values = {"x", "{a: b}", "[[]]", "[]", "[null]"};
    for (const std::string& text : kTexts) values.push_back("[" + text + "]");
    add(name, values);
  }
  void key(std::string_view name, std::map<std::string, std::string>&,
           const config::KeyInfo&) override {
    Values values = {"x", "[a]", "{}", "{a: [b]}", "{a: null}"};
    for (const char* header :
         {"Authorization", "'a b'", "''", "'a:b'", "':path'", "grpc-timeout", "Content-Type", "te",
          "host", "socket.timeout.ms", "group.id", "\"\\xe9\""})
      for (const char* value : {"x", "''", "\"a\\nb\"", "\"\\xe9\"", "'7000'"})
        values.push_back("{" + std::string(header) + ": " + value + "}");
    add(name, values);
  }
  void enum_key(std::string_view name, int&, const config::EnumNames& names,
                const config::KeyInfo&) override {
    Values values = {"nonsense", "[]", "1", "''"};
    for (const std::string_view known : names) values.emplace_back(known);
    add(name, values);
  }
  void key(std::string_view name, std::uint16_t&, const config::KeyInfo&) override {
    // No valid port but 0: it could be taken on this machine.
    add(name, {"0", "-1", "65536", "99999", "http", "[]", "1.5", "'tcp://10.0.0.1:4317'"});
  }
  void section_impl(std::string_view name, const char*,
                    const std::function<void(Binder&)>& describe_section) override {
    add(name, {"x", "[]", "null"});
    KeyCollector inner(keys_, path_of(name));
    describe_section(inner);
  }
  void list_impl(std::string_view name, const char*, std::size_t,
                 const std::function<void(std::size_t)>& resize,
                 const std::function<void(Binder&, std::size_t)>& describe_item) override {
    add(name, {"x", "{}", "[x]", "[{}]", "[null]"});
    resize(1);
    KeyCollector inner(keys_, path_of(name) + "[0]");
    describe_item(inner, 0);
    resize(0);
  }

 private:
  std::string path_of(std::string_view name) const {
    return path_ + (path_.empty() ? "" : ".") + std::string(name);
  }
  void add(std::string_view name, const Values& values) {
    keys_.push_back({path_of(name), values});
  }
  static Values bounded(Values values, const config::KeyInfo& info, const char* unit) {
    const bool has_min = std::isfinite(info.min);
    const bool has_max = std::isfinite(info.max) && info.max < 9e15;
    if (has_min) values.push_back(number(info.min) + unit);
    if (has_min && info.min >= 1) values.push_back(number(info.min - 1) + unit);
    if (has_max) values.push_back(number(info.max) + unit);
    if (has_max) values.push_back(number(info.max + 1) + unit);
    return values;
  }

  std::vector<Key>& keys_;
  const std::string path_;
};

// "a.b[0].c" with the value v = "{a: {b: [{c: v}]}}".
std::string yaml_of(const std::string& path, const std::string& value) {
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

std::string variable_of(std::string path) {
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

const std::map<std::string, std::string> kNoPorts = {{"admin.port", "0"},
                                                     {"admin.host", "127.0.0.1"}};
std::map<std::string, std::string> with(std::map<std::string, std::string> base) {
  base.insert(kNoPorts.begin(), kNoPorts.end());
  return base;
}

std::vector<Variant> variants() {
  const std::map<std::string, std::string> kafka = {{"kafka.brokers", "127.0.0.1:1"},
                                                    {"otlp.grpc.port", "0"}};
  auto produce = kafka, consume = kafka;
  produce["mode"] = "produce";
  consume["mode"] = "consume";
  std::vector<Variant> all = {
      {"ingress", ingress::make_program, with({{"otlp.grpc.port", "0"}, {"otlp.http.port", "0"}})},
      {"bridge_produce", kafka_bridge::make_program, with(produce)},
      {"bridge_consume", kafka_bridge::make_program, with(consume)},
      {"allinone", allinone::make_program,
       with({{"run", "ingress,exporter"},
             {"ingress.otlp.grpc.port", "0"},
             {"ingress.otlp.http.port", "0"},
             {"exporter.otlp.grpc.port", "0"}})},
  };
  for (const char* type : {"otlp_grpc", "otlp_http", "zipkin", "file", "debug"})
    all.push_back({type, exporter::make_program,
                   with({{"otlp.grpc.port", "0"}, {"destination.type", type}})});
  return all;
}

// Some keys name files, which the start of a service creates: in a folder of their own.
class TemporaryFolder final : public testing::Environment {
 public:
  void SetUp() override {
    std::string folder = testing::TempDir() + "config_check.XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    std::filesystem::current_path(folder);
    folder_ = folder;
  }
  void TearDown() override {
    std::filesystem::current_path("/");
    std::filesystem::remove_all(folder_);
  }

 private:
  std::filesystem::path folder_;
};
const testing::Environment* const kFolder =
    testing::AddGlobalTestEnvironment(new TemporaryFolder);  // NOLINT: owned by gtest.

class ConfigCheck : public testing::TestWithParam<Variant> {};

TEST_P(ConfigCheck, TakesExactlyWhatStarts) {
  const runtime::Program program = GetParam().make();
  runtime::RuntimeConfig runtime;
  std::vector<KeyCollector::Key> keys;
  KeyCollector collector(keys);
  program.describe_config(collector);
  describe(collector, runtime);
  ASSERT_GT(keys.size(), 20u);
  // Making topics waits for Kafka.
  std::erase_if(keys, [](const auto& key) { return key.path.ends_with("create_topics"); });
  int refused = 0;
  int started = 0;
  for (const auto& [path, values] : keys) {
    for (const std::string& value : values) {
      Attempt attempt(GetParam(), path, value);
      const std::string problems = attempt.check();
      if (!problems.empty()) {
        ++refused;
        continue;
      }
      const std::string failure = attempt.start();
      EXPECT_EQ(failure, "") << attempt.yaml() << " passes --check-config and does not start";
      ++started;
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(started, 5);
}

INSTANTIATE_TEST_SUITE_P(Services, ConfigCheck, testing::ValuesIn(variants()),
                         [](const auto& variant) { return std::string(variant.param.name); });

// Mistakes of several keys together.
TEST(ConfigCheckOfFiles, RefusesWhatCannotBeReadAtItsKey) {
  const std::string files = "{certificate_file: /nonexistent/a, key_file: /nonexistent/b}";
  const struct {
    const char* variant;
    const char* path;
    std::string value;
    const char* problem;
  } cases[] = {
      {"ingress", "otlp.tls", files, "f.yaml:1:9: otlp.tls"},
      {"ingress", "next.tls", "{enabled: true, ca_file: /nonexistent/a}", "f.yaml:1:2: next"},
      {"ingress", "auth", "{mode: bearer, tokens: [{token_file: /nonexistent/t}]}",
       "f.yaml:1:2: auth"},
      {"bridge_produce", "otlp.tls", files, "f.yaml:1:9: otlp.tls"},
      {"bridge_consume", "destination.tls", "{enabled: true, ca_file: /nonexistent/a}",
       "f.yaml:1:2: destination"},
      {"bridge_produce", "kafka.tls", "{enabled: true, ca_file: /nonexistent/a}",
       "f.yaml:1:2: kafka"},
      {"bridge_produce", "kafka.librdkafka", "{socket.timeout.ms: soon}", "f.yaml:1:2: kafka"},
      {"otlp_grpc", "destination.otlp_grpc.tls", "{enabled: true, ca_file: /nonexistent/a}",
       "f.yaml:1:16: destination.otlp_grpc"},
      {"otlp_http", "destination.otlp_http",
       "{endpoint: 'https://h', tls: {ca_file: /nonexistent/a}}",
       "f.yaml:1:16: destination.otlp_http"},
      {"otlp_http", "otlp.tls", files, "f.yaml:1:9: otlp.tls"},
      {"ingress", "admin", "{host: 203.0.113.7}", "f.yaml:1:10: admin.host"},
      {"ingress", "otlp", "{host: 203.0.113.7}", "f.yaml:1:2: otlp"},
  };
  for (const auto& c : cases) {
    for (const Variant& variant : variants()) {
      if (std::string_view(variant.name) != c.variant) continue;
      Attempt attempt(variant, c.path, c.value);
      const std::string problems = attempt.check();
      EXPECT_TRUE(problems.starts_with(c.problem)) << attempt.yaml() << "\n" << problems;
      EXPECT_NE(attempt.start(), "") << attempt.yaml();
    }
  }
}

TEST(ConfigCheckOfPorts, RefusesTwoListenersOnOnePort) {
  Variant variant = variants()[0];
  variant.base["admin.port"] = "4317";
  Attempt attempt(variant, "otlp.grpc.port", "4317");
  EXPECT_NE(attempt.check().find("port 4317 is configured for two listeners"), std::string::npos);
}

}  // namespace
}  // namespace spanway
