#include "services/lib/runtime/tool.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <mutex>

namespace spanway::runtime {
namespace {

int run(std::vector<std::string> words, const Tool& tool) {
  words.insert(words.begin(), tool.name);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return run_tool(tool, static_cast<int>(argv.size()), argv.data());
}

TEST(Tool, GetsItsArgumentsAndReturnsItsExitCode) {
  std::vector<std::string> seen;
  const Tool tool{.name = "test",
                  .run = [&seen](const std::vector<std::string>& arguments, const ToolDeps& deps) {
                    seen = arguments;
                    return deps.stop.stop_requested() ? 1 : 7;
                  }};
  EXPECT_EQ(run({"send", "--rate=5"}, tool), 7);
  EXPECT_EQ(seen, (std::vector<std::string>{"send", "--rate=5"}));
}

TEST(Tool, PrintsItsVersion) {
  testing::internal::CaptureStdout();
  const int code = run({"--version"}, {.name = "spanway-test", .run = nullptr});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "spanway-test " SPANWAY_VERSION "\n");
  EXPECT_EQ(code, 0);
}

TEST(Tool, SigtermRequestsAStop) {
  const Tool tool{.name = "test", .run = [](const std::vector<std::string>&, const ToolDeps& deps) {
                    std::mutex mutex;
                    std::condition_variable_any wake;
                    std::unique_lock lock(mutex);
                    kill(getpid(), SIGTERM);
                    wake.wait(lock, deps.stop, [] { return false; });
                    return deps.stop.stop_requested() ? 3 : 4;
                  }};
  EXPECT_EQ(run({}, tool), 3);
}

}  // namespace
}  // namespace spanway::runtime
