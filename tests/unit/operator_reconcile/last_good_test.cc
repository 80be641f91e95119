#include "operator/reconcile/last_good.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/declaration.h"
#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using testing::StartsWith;

const render::Component& component_of(const render::Rendering& rendering, render::Role role) {
  for (const render::Component& component : rendering.components)
    if (component.id.role == role) return component;
  throw std::logic_error("no such component");
}

class LastGoodTest : public testing::Test {
 protected:
  LastGoodTest() {
    before_["metadata"]["uid"] = after_["metadata"]["uid"] = "u";
    after_["spec"]["ingress"]["config"]["limits"]["body_bytes_max"] = "8MiB";
    after_["spec"]["exporters"][0]["destination"]["endpoint"] = "other:4317";
  }
  render::Rendering rendered(const Json& object) const {
    config::Problems problems;
    return render::render(api::read(object, problems), facts_);
  }
  std::optional<LastGood> read(const Json& config_map) const {
    return read_last_good(config_map, after_, facts_);
  }
  Json before_ = ControllerFixture::pipeline();
  Json after_ = ControllerFixture::pipeline();
  render::ClusterFacts facts_;
};

TEST_F(LastGoodTest, RendersAsTheSpecThatWasRecorded) {
  const auto last = read(last_good_manifest(before_, facts_).object);
  ASSERT_TRUE(last);
  EXPECT_EQ(render_last_good(*last).revision, rendered(before_).revision);
}

TEST_F(LastGoodTest, AComponentThatIsKeptRendersFromTheSpecBefore) {
  const Json first = last_good_manifest(before_, facts_).object;
  const Json second = last_good_manifest(after_, facts_, {"p-tempo"}, first).object;
  auto last = read(second);
  ASSERT_TRUE(last);
  render::Rendering rendering = render_last_good(*last);
  EXPECT_EQ(component_of(rendering, render::Role::kExporter).revision,
            component_of(rendered(before_), render::Role::kExporter).revision);
  EXPECT_EQ(component_of(rendering, render::Role::kIngress).revision,
            component_of(rendered(after_), render::Role::kIngress).revision);
  EXPECT_NE(rendering.revision, rendered(after_).revision);
  // Kept again, it is still the first one; recorded, it is the new one.
  last = read(last_good_manifest(after_, facts_, {"p-tempo"}, second).object);
  EXPECT_EQ(render_last_good(*last).revision, rendering.revision);
  last = read(last_good_manifest(after_, facts_, {}, second).object);
  EXPECT_EQ(render_last_good(*last).revision, rendered(after_).revision);
}

TEST(LastGoodOfComponents, IsRecordedOfTheOthersWhileASecretIsMissing) {
  ControllerFixture fixture;
  const Json secret = {{"metadata", {{"name", "otlp-tls"}, {"namespace", "team"}}},
                       {"data", {{"tls.crt", "YQ=="}, {"tls.key", "YQ=="}}}};
  fixture.kube.put(kube::kSecrets, secret);
  Json object = ControllerFixture::pipeline();
  object["spec"]["ingress"]["tls"]["secretName"] = "otlp-tls";
  fixture.install(object);
  const std::string ingress = fixture.revision_of(kube::kDeployments, "p-ingress");
  fixture.kube.erase(kube::kSecrets, {"team", "otlp-tls"});
  fixture.secrets->poll();
  // Another endpoint, and another size at the ingress, whose Secret is missing.
  object["spec"]["exporters"][0]["destination"]["endpoint"] = "other:4317";
  fixture.change({{"exporters", object["spec"]["exporters"]},
                  {"ingress", {{"config", {{"limits", {{"body_bytes_max", "8MiB"}}}}}}}});
  fixture.pass(std::chrono::seconds(180));
  const std::string exporter = fixture.revision_of(kube::kDeployments, "p-tempo");
  EXPECT_EQ(fixture.condition("Reconciling"), "True: SecretMissing");
  EXPECT_EQ(fixture.revision_of(kube::kDeployments, "p-ingress"), ingress);
  // The next change fails, and the exporter goes back to its record.
  fixture.kube.fate = [&](const Json& pod) {
    const bool is_new =
        kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != exporter;
    fakes::FakeKube::PodFate fate;
    if (kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "exporter" && is_new)
      fate.kind = fakes::FakeKube::PodFate::Kind::kCrashes;
    return fate;
  };
  object["spec"]["exporters"][0]["destination"]["endpoint"] = "typo:4317";
  fixture.change({{"exporters", object["spec"]["exporters"]}});
  fixture.pass(std::chrono::seconds(120));
  EXPECT_THAT(fixture.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(fixture.revision_of(kube::kDeployments, "p-tempo"), exporter);
  EXPECT_EQ(fixture.revision_of(kube::kDeployments, "p-ingress"), ingress);
  fixture.kube.forget_writes();
  fixture.restart();
  fixture.pass(std::chrono::seconds(120));
  EXPECT_EQ(fixture.revision_of(kube::kDeployments, "p-tempo"), exporter);
  EXPECT_EQ(fixture.revision_of(kube::kDeployments, "p-ingress"), ingress);
}

}  // namespace
}  // namespace spanway::reconcile
