#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "services/lib/config/load.h"

namespace spanway::config {
namespace {

class SourcesTest : public testing::Test {
 protected:
  std::string path(const char* name) const {
    return testing::TempDir() + "spanway_sources_" + name;
  }
};

TEST_F(SourcesTest, HasTheEnvironmentOfTheProcess) {
  ASSERT_EQ(setenv("SPANWAY_SOURCES_TEST", "a=b", 1), 0);
  const Sources sources = Sources::of_process();
  unsetenv("SPANWAY_SOURCES_TEST");
  EXPECT_EQ(sources.environment.at("SPANWAY_SOURCES_TEST"), "a=b");
}

TEST_F(SourcesTest, ReadsRegularFilesUpToOneMebibyte) {
  const Sources sources = Sources::of_process();
  std::ofstream(path("small")) << "token\n";
  EXPECT_EQ(sources.read_file(path("small")), "token\n");
  std::ofstream(path("big")) << std::string((1 << 20) + 1, 'a');
  EXPECT_EQ(sources.read_file(path("big")), std::nullopt);
  EXPECT_EQ(sources.read_file(path("missing")), std::nullopt);
}

TEST_F(SourcesTest, DoesNotWaitForPipesAndDevices) {
  const Sources sources = Sources::of_process();
  const std::string pipe = path("pipe");
  ::unlink(pipe.c_str());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(sources.read_file(pipe), std::nullopt);
  EXPECT_EQ(sources.read_file("/dev/zero"), std::nullopt);
  EXPECT_EQ(sources.read_file("/"), std::nullopt);
}

}  // namespace
}  // namespace spanway::config
