// Runs whole programs in child processes: flags, signals and exit codes are those of a real one.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "services/lib/runtime/service.h"
#include "tests/unit/runtime/fake_service.h"
#include "tests/unit/runtime/raw_http.h"

namespace spanway::runtime {
namespace {

struct TestConfig {
  std::string behaviour = "good";
  Secret password;
};
void describe(config::Binder& b, TestConfig& c) {
  b.key("behaviour", c.behaviour, {.doc = "What to do.", .alias = "TEST_BEHAVIOUR"});
  b.key("password", c.password, {.doc = "Unused."});
}

Program test_program(TestConfig& config, Journal& journal) {
  Program program;
  program.name = "spanway-test";
  program.summary = "A program for tests.";
  program.describe_config = [&config](config::Binder& b) { b.section("test", config, "Test."); };
  program.validate = [&config](config::Problems& problems) {
    if (config.behaviour == "invalid") problems.add("test.behaviour", "is invalid");
  };
  program.create = [&](const ServiceDeps&) -> Result<std::unique_ptr<Service>> {
    if (config.behaviour == "no_create") return unavailable("no service token=abc");
    auto service = std::make_unique<FakeService>("test", journal);
    service->fail_start = config.behaviour == "no_start";
    service->broken = config.behaviour == "fatal";
    service->drains = config.behaviour != "stuck";
    return std::unique_ptr<Service>(std::move(service));
  };
  program.commands = {{"say", "prints", [&config](const std::vector<std::string>& arguments) {
                         for (const std::string& word : arguments)
                           std::printf("%s %s\n", config.behaviour.c_str(), word.c_str());
                         return 7;
                       }}};
  program.metrics = {{"spanway_test_things_total", telemetry::MetricKind::kCounter, "Things."}};
  return program;
}

// A program in a child process, with its two outputs in one pipe.
class Child {
 public:
  explicit Child(std::vector<std::string> words, const std::string& behaviour = "good") {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    std::fflush(nullptr);
    pid_ = fork();
    if (pid_ == 0) run(std::move(words), behaviour, ends);
    close(ends[1]);
    output_fd_ = ends[0];
  }
  ~Child() {
    if (!exit_code_) kill(pid_, SIGKILL);
    wait();
    close(output_fd_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void signal(int number) const { kill(pid_, number); }

  // True when the output holds `text` within 20 s.
  bool wait_for(const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (output_.find(text) == std::string::npos) {
      pollfd watched{output_fd_, POLLIN, 0};
      if (std::chrono::steady_clock::now() > end) return false;
      if (poll(&watched, 1, 100) > 0 && !read_some()) return false;
    }
    return true;
  }
  // The exit code; -1 when a signal ended it.
  int wait() {
    if (exit_code_) return *exit_code_;
    while (read_some()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return *exit_code_;
  }
  const std::string& output() const { return output_; }
  // The number behind the first `name=`.
  std::uint16_t number(const std::string& name) const {
    const std::size_t at = output_.find(name + "=");
    if (at == std::string::npos) return 0;
    return static_cast<std::uint16_t>(std::atoi(output_.c_str() + at + name.size() + 1));
  }

 private:
  [[noreturn]] static void run(std::vector<std::string> words, const std::string& behaviour,
                               const int (&ends)[2]) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    clearenv();  // Variables of the caller are no part of the test.
    setenv("HOME", "/home/user", 1);
    setenv("TEST_BEHAVIOUR", behaviour.c_str(), 1);
    setenv("SPANWAY_ADMIN__PORT", "0", 1);
    setenv("SPANWAY_ADMIN__HOST", "127.0.0.1", 1);
    words.insert(words.begin(), "spanway-test");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    TestConfig config;
    Journal journal;
    const int code =
        run_program(test_program(config, journal), static_cast<int>(argv.size()), argv.data());
    std::fflush(nullptr);
    _exit(code);
  }
  bool read_some() {
    std::array<char, 4096> buffer{};
    const ssize_t count = read(output_fd_, buffer.data(), buffer.size());
    if (count > 0) output_.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  pid_t pid_ = -1;
  int output_fd_ = -1;
  std::string output_;
  std::optional<int> exit_code_;
};

std::string write_file(const char* name, const std::string& text) {
  const std::string path = testing::TempDir() + "spanway_program_" + name;
  std::ofstream(path) << text;
  return path;
}

bool has(const Child& child, const std::string& text) {
  return child.output().find(text) != std::string::npos;
}

TEST(Program, RunsUntilSigtermAndExitsCleanly) {
  Child child({});
  ASSERT_TRUE(child.wait_for("Ready")) << child.output();
  const std::uint16_t port = child.number("port");
  EXPECT_TRUE(raw_http(port, "GET", "/readyz").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(raw_http(port, "GET", "/statusz")
                  .ends_with(R"({"ready":true,"reason":"","mode":"test","credential_errors":[],)"
                             R"("errors":[]})"
                             "\n"));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait(), 0) << child.output();
  EXPECT_TRUE(has(child, "INFO  test  Stopping reason=SIGTERM")) << child.output();
  EXPECT_TRUE(has(child, "Stopped")) << child.output();
}

// Outside a container, process 1 is another program, which SIGHUP may end.
TEST(Program, ToggleDebugSignalsNoOtherProgram) {
  Child child({"--toggle-debug"});
  EXPECT_EQ(child.wait(), 1);
  EXPECT_TRUE(has(child, "not spanway-test: run this in the container of the service"))
      << child.output();
}

TEST(Program, SighupTurnsDebugLinesOnAndOffAgain) {
  Child child({});
  ASSERT_TRUE(child.wait_for("Ready")) << child.output();
  child.signal(SIGHUP);
  ASSERT_TRUE(child.wait_for("DEBUG test  Log level changed by SIGHUP debug=true"))
      << child.output();
  child.signal(SIGHUP);
  ASSERT_TRUE(child.wait_for("INFO  test  Log level changed by SIGHUP debug=false"))
      << child.output();
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait(), 0) << child.output();
}

TEST(Program, IsNotReadyWhileItWaitsForItsEndpointsToGo) {
  const std::string file = write_file("delay", "runtime: {shutdown_delay: 60s}\n");
  Child child({"--config", file});
  ASSERT_TRUE(child.wait_for("Ready")) << child.output();
  child.signal(SIGINT);
  ASSERT_TRUE(child.wait_for("Stopping reason=SIGINT")) << child.output();
  const std::string answer = raw_http(child.number("port"), "GET", "/readyz");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(answer.ends_with("not ready: shutting down\n")) << answer;
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait(), 1);
  EXPECT_TRUE(has(child, "second signal")) << child.output();
}

TEST(Program, FailuresExitWithOneAndSayWhyInTheLastLine) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"no_create", "reason=\"cannot start: no service token=***\""},
      {"no_start", "reason=\"cannot start: test: no port\""},
      {"fatal", "reason=\"test: fenced\""}};
  for (const auto& [behaviour, reason] : cases) {
    Child child({}, behaviour);
    EXPECT_EQ(child.wait(), 1) << behaviour;
    EXPECT_TRUE(child.output().ends_with(reason + "\n")) << child.output();
  }
  Child stuck({}, "stuck");
  ASSERT_TRUE(stuck.wait_for("Ready"));
  stuck.signal(SIGTERM);
  EXPECT_EQ(stuck.wait(), 1);
  EXPECT_TRUE(has(stuck, "not everything in flight was finished")) << stuck.output();
}

TEST(Program, BadUsageAndConfigurationExitWithTwo) {
  Child usage({"--cofnig"});
  EXPECT_EQ(usage.wait(), 2);
  EXPECT_TRUE(has(usage, "did you mean '--config'?")) << usage.output();
  Child missing({"--config", "/nowhere.yaml"});
  EXPECT_EQ(missing.wait(), 2);
  EXPECT_TRUE(has(missing, "/nowhere.yaml: the configuration cannot be read"));
  Child directory({"--config", "/"});
  EXPECT_EQ(directory.wait(), 2);
  const std::string file = write_file("bad", "tset: {}\nlog:\n  level: loud\n");
  Child bad({"--config", file});
  EXPECT_EQ(bad.wait(), 2);
  EXPECT_EQ(bad.output(),
            file + ":1:1: tset: unknown key (did you mean 'test'?)\n" + file +
                ":3:10: log.level: must be one of debug, info, warn, error, not 'loud'\n");
  Child invalid({}, "invalid");
  EXPECT_EQ(invalid.wait(), 2);
  EXPECT_TRUE(has(invalid, "test.behaviour: is invalid")) << invalid.output();
}

TEST(Program, ChecksAndPrintsTheConfiguration) {
  const std::string file = write_file("good", "test: {password: \"${env:HOME}\"}\n");
  Child check({"--check-config", "--config", file});
  EXPECT_EQ(check.wait(), 0);
  EXPECT_EQ(check.output(), file + ": ok\n");
  Child bad({"--check-config"}, "invalid");
  EXPECT_EQ(bad.wait(), 2);
  Child print({"--print-config", "--config", file});
  EXPECT_EQ(print.wait(), 0);
  EXPECT_TRUE(has(print, "test:\n  behaviour: good\n  password: \"***\"\n")) << print.output();
  EXPECT_TRUE(has(print, "drain_timeout: 25s\n")) << print.output();
}

TEST(Program, PrintsItsDocuments) {
  Child schema({"--print-schema"});
  EXPECT_EQ(schema.wait(), 0);
  EXPECT_TRUE(has(schema, "\"title\":\"spanway-test\"")) << schema.output();
  EXPECT_TRUE(has(schema, "\"behaviour\"")) << schema.output();
  Child doc({"--print-config-doc"});
  EXPECT_EQ(doc.wait(), 0);
  EXPECT_TRUE(doc.output().starts_with("## spanway-test\n\nA program for tests.\n\n"))
      << doc.output();
  EXPECT_TRUE(has(doc, "### `runtime`")) << doc.output();
  Child metrics({"--print-metrics"});
  EXPECT_EQ(metrics.wait(), 0);
  for (const char* name : {"spanway_test_things_total", "spanway_runtime_ready",
                           "spanway_bugs_total", "spanway_http_requests_total"})
    EXPECT_TRUE(has(metrics, name)) << name << metrics.output();
  Child version({"--version"});
  EXPECT_EQ(version.wait(), 0);
  EXPECT_EQ(version.output(), std::string("spanway-test ") + SPANWAY_VERSION + "\n");
  Child help({"--help"});
  EXPECT_EQ(help.wait(), 0);
  EXPECT_TRUE(has(help, "--print-config-doc")) << help.output();
}

TEST(Program, RunsCommandsWithTheConfigurationLoaded) {
  Child say({"say", "hello", "--loud"}, "cheerful");
  EXPECT_EQ(say.wait(), 7);
  EXPECT_EQ(say.output(), "cheerful hello\ncheerful --loud\n");
}

}  // namespace
}  // namespace spanway::runtime
