// The samples that people begin with pass the whole check.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "operator/api/declaration.h"
#include "services/lib/config/load.h"
#include "tests/unit/operator_render/pipelines.h"

namespace spanway::render {
namespace {

TEST(Samples, PassTheConfigurationCheck) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("k8s/samples")) {
    std::ifstream file(entry.path());
    std::ostringstream text;
    text << file.rdbuf();
    const auto documents = api::parse_yaml(text.str(), entry.path().string());
    ASSERT_TRUE(documents.ok()) << documents.error().message;
    for (const Json& object : *documents) {
      if (kube::string_at(object, "kind") != "Pipeline") continue;
      config::Problems problems;
      const api::Pipeline pipeline = api::read(object, problems);
      check_configs(pipeline, sample_facts(), problems);
      EXPECT_EQ(config::format(problems, entry.path().string()), "");
      ++count;
    }
  }
  EXPECT_GE(count, 10);
}

}  // namespace
}  // namespace spanway::render
