#include "operator/render/services.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

TEST(Services, TowardsOurOwnSendersAreHeadless) {
  for (const auto& [name, service] : of_kind(rendered(quickstart()), kube::kServices))
    EXPECT_EQ(at(service, "spec/clusterIP") == "None", name != "quickstart-ingress") << name;
}

TEST(Services, ThePublicOneFollowsThePipeline) {
  const auto services = of_kind(rendered(sample("public")), kube::kServices);
  const Json& service = services.at("public-ingress");
  EXPECT_EQ(at(service, "spec/type"), "LoadBalancer");
  EXPECT_EQ(at(service, "metadata/annotations/example.com~1lb"), "internal");
  EXPECT_EQ(at(service, "metadata/labels/exposed"), "yes");
  ASSERT_EQ(at(service, "spec/ports").size(), 1u);
  EXPECT_EQ(at(service, "spec/ports/0/port"), 14317);
  EXPECT_EQ(at(service, "spec/ports/0/appProtocol"), "kubernetes.io/h2c");
  // The admin port is not exposed.
  EXPECT_EQ(at(services.at("public-ingress-admin"), "spec/type"), "ClusterIP");
}

}  // namespace
}  // namespace spanway::render
