// Files under version control that are made from the declaration. SPANWAY_UPDATE_GOLDEN=1 writes
// them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "operator/api/yaml.h"
#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

constexpr char kHeader[] = "# Made from operator/api; do not edit.\n";

void expect_file(const std::string& path, const std::string& text) {
  if (std::getenv("SPANWAY_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  EXPECT_TRUE(file_text(path) == text)
      << path << " differs from the code; run: SPANWAY_UPDATE_GOLDEN=1 operator_api_test";
}

TEST(GeneratedFiles, CrdIsThatOfTheCode) {
  expect_file("k8s/crd/pipelines.spanway.dev.yaml", kHeader + to_yaml(crd()));
}

TEST(GeneratedFiles, CrdDocIsThatOfTheCode) { expect_file("CRD.md", markdown()); }

TEST(GeneratedFiles, CrdYamlEqualsTheJson) {
  const auto read_back = documents(to_yaml(crd()));
  ASSERT_EQ(read_back.size(), 1u);
  EXPECT_TRUE(read_back.front() == crd());
}

// `kubectl apply` keeps the whole object in an annotation, which may be 256 KiB.
TEST(GeneratedFiles, CrdCanBeAppliedByKubectl) {
  EXPECT_LT(kube::to_text(crd()).size(), 250u << 10);
}

}  // namespace
}  // namespace spanway::api
