#include "operator/k8s/resource.h"

#include <gtest/gtest.h>

namespace spanway::kube {
namespace {

TEST(ResourcePath, OfEachForm) {
  EXPECT_EQ(resource_path(kPods, "a", "b"), "/api/v1/namespaces/a/pods/b");
  EXPECT_EQ(resource_path(kPods, ""), "/api/v1/pods");
  EXPECT_EQ(resource_path(kDeployments, "a", "b", "scale"),
            "/apis/apps/v1/namespaces/a/deployments/b/scale");
  EXPECT_EQ(resource_path(kNamespaces, "ignored", "b"), "/api/v1/namespaces/b");
  EXPECT_EQ(resource_path(kCustomResourceDefinitions, "", "pipelines.spanway.dev"),
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/pipelines.spanway.dev");
  EXPECT_EQ(kPods.api_version(), "v1");
  EXPECT_EQ(kJobs.api_version(), "batch/v1");
}

TEST(ResourcePath, ANameCannotLeaveItsSegment) {
  EXPECT_EQ(resource_path(kSecrets, "a", "../../x?y=1#z"),
            "/api/v1/namespaces/a/secrets/..%2F..%2Fx%3Fy%3D1%23z");
  EXPECT_EQ(resource_path(kSecrets, "..", "b"), "/api/v1/namespaces/%2E%2E/secrets/b");
  EXPECT_EQ(resource_path(kSecrets, "a", "\xc3\xa4 "), "/api/v1/namespaces/a/secrets/%C3%A4%20");
}

}  // namespace
}  // namespace spanway::kube
