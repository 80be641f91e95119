// Every file in testdata/ holds one kind of mistake; beside it is the expected message.
// SPANWAY_UPDATE_GOLDEN=1 writes the second from the first.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/config/sample_config.h"

namespace spanway::config {
namespace {

namespace fs = std::filesystem;

const char* const kTestdata = "tests/unit/config/testdata";

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> mistakes() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kTestdata))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

Sources test_sources() {
  Sources sources;
  sources.environment = {{"PASSWORD", "hunter2"}, {"WORD", "hunter2"}};
  sources.read_file = [](const std::string&) { return std::nullopt; };
  return sources;
}

TEST(Mistakes, AreReportedWithPlaceAndRemedy) {
  const bool update = std::getenv("SPANWAY_UPDATE_GOLDEN") != nullptr;
  const auto files = mistakes();
  EXPECT_GE(files.size(), 50U);
  for (const fs::path& file : files) {
    SCOPED_TRACE(file.string());
    SampleConfig config;
    const LoadReport report = load_sample(config, read_file(file), test_sources());
    const std::string said = format(report.problems, file.filename().string());
    fs::path expected = file;
    expected.replace_extension(".expected");
    if (update) std::ofstream(expected, std::ios::binary) << said;
    EXPECT_FALSE(report.problems.empty());
    EXPECT_EQ(said, read_file(expected));
    EXPECT_EQ(said.find("hunter2"), std::string::npos);
  }
}

}  // namespace
}  // namespace spanway::config
