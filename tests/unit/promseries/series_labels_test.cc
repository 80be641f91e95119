#include "services/lib/promseries/series_labels.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/promseries/series_text.h"

namespace spanway::promseries {
namespace {

using otlp::AttributeView;

AttributeView attribute(std::string_view key, std::string_view value) {
  return {.key = key, .value = {.kind = otlp::ValueKind::kString, .text = value}};
}

struct Resource {
  std::vector<AttributeView> attributes;
  otlp::ResourceView view() const { return {.attributes = attributes, .schema_url = {}}; }
};

TEST(SeriesLabels, CollidingKeysAreJoined) {
  SeriesLabels labels({});
  const Resource resource;
  ASSERT_TRUE(labels.set_resource(resource.view()));
  const std::vector<AttributeView> attributes = {attribute("a_b", "2"), attribute("a.b", "1"),
                                                 attribute("z", ""), attribute("__name__", "x")};
  const auto of_point = labels.of_point(attributes);
  ASSERT_TRUE(of_point);
  EXPECT_EQ(text_of(*of_point), "{a_b=1;2}");
}

TEST(SeriesLabels, JobAndInstanceGoBeforeAttributesAndPromotedOnesBehind) {
  SeriesLabels labels({.promote = {"k8s.pod.name", "region"}});
  const Resource resource{{attribute("service.name", "cart"),
                           attribute("service.namespace", "shop"),
                           attribute("service.instance.id", "i1"), attribute("k8s.pod.name", "p1"),
                           attribute("region", "eu")}};
  ASSERT_TRUE(labels.set_resource(resource.view()));
  const std::vector<AttributeView> attributes = {attribute("job", "mine"),
                                                 attribute("region", "us")};
  const auto of_point = labels.of_point(attributes);
  ASSERT_TRUE(of_point);
  EXPECT_EQ(text_of(labels.named(*of_point, "m", {"le", "1"})),
            "{__name__=m,instance=i1,job=shop/cart,k8s_pod_name=p1,le=1,region=us}");
  EXPECT_EQ(text_of(labels.target_info()),
            "{__name__=target_info,instance=i1,job=shop/cart,k8s_pod_name=p1,region=eu}");
}

TEST(SeriesLabels, AnAttributeThatMakesNoLabelIsMissingInTargetInfoAlone) {
  SeriesLabels labels({});
  const Resource resource{{attribute("service.name", "cart"), attribute("", "x"),
                           attribute("__", "y"), attribute("region", "eu")}};
  EXPECT_TRUE(labels.set_resource(resource.view()));
  EXPECT_EQ(text_of(labels.target_info()), "{__name__=target_info,job=cart,region=eu}");
}

TEST(SeriesLabels, TargetInfoNeedsAnIdentityAndSomethingMore) {
  SeriesLabels labels({});
  const Resource only_name{{attribute("service.name", "cart")}};
  labels.set_resource(only_name.view());
  EXPECT_TRUE(labels.target_info().empty());
  const Resource no_name{{attribute("host.name", "h")}};
  labels.set_resource(no_name.view());
  EXPECT_TRUE(labels.target_info().empty());
}

TEST(SeriesLabels, AKeyWithoutALabelNameIsRefused) {
  SeriesLabels labels({});
  const Resource resource;
  labels.set_resource(resource.view());
  const std::vector<AttributeView> attributes = {attribute("...", "1")};
  EXPECT_FALSE(labels.of_point(attributes));
}

}  // namespace
}  // namespace spanway::promseries
