#include "tests/unit/operator_api/pipeline_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace spanway::api {

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> yaml_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  EXPECT_FALSE(files.empty()) << folder;
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<kube::Json> documents(const std::string& yaml, const std::string& file_name) {
  auto parsed = parse_yaml(yaml, file_name);
  if (!parsed.ok()) {
    ADD_FAILURE() << parsed.error().message;
    return {};
  }
  return std::move(parsed).value();
}

std::vector<std::string> texts(const config::Problems& problems) {
  std::vector<std::string> all;
  for (const config::Problem& problem : problems.all())
    all.push_back(problem.path + ": " + problem.message);
  return all;
}

std::vector<std::string> problems_of(const std::string& yaml) {
  const std::vector<kube::Json> all = documents(yaml);
  if (all.size() != 1) {
    ADD_FAILURE() << all.size() << " documents in\n" << yaml;
    return {};
  }
  config::Problems problems;
  read(all.front(), problems);
  return texts(problems);
}

std::string expectation(const std::string& yaml) {
  const std::string line = yaml.substr(0, yaml.find('\n'));
  EXPECT_EQ(line.substr(0, 2), "# ") << line;
  return line.substr(std::min<std::size_t>(2, line.size()));
}

std::string pipeline_yaml(const std::string& spec) {
  return R"(
apiVersion: spanway.dev/v1alpha1
kind: Pipeline
metadata: {name: p, namespace: team}
spec:
  kafka: {bootstrapServers: "kafka:9092"}
  exporters:
  - {name: debug, destination: {type: Debug}}
)" + spec;
}

}  // namespace spanway::api
