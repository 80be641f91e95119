#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

// Samples may bring other objects along (Secrets); those are not ours to validate.
TEST(Samples, AreAllValid) {
  for (const std::string& path : yaml_files("k8s/samples")) {
    std::size_t pipelines = 0;
    for (const kube::Json& object : documents(file_text(path), path)) {
      if (kube::string_at(object, "kind") != "Pipeline") continue;
      ++pipelines;
      config::Problems problems;
      read(object, problems);
      EXPECT_THAT(texts(problems), testing::IsEmpty()) << path;
    }
    EXPECT_GE(pipelines, 1u) << path;
  }
}

}  // namespace
}  // namespace spanway::api
