// The behaviour of an API server that the operator and its tests rely on. Runs against FakeKube,
// and against a real API server when SPANWAY_KUBECONFIG names one (`make cluster-test`), so that
// the fake cannot drift from the real one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "operator/k8s/access.h"
#include "operator/k8s/rest_client.h"
#include "services/lib/base/random.h"
#include "services/lib/base/thread.h"
#include "services/lib/config/load.h"
#include "services/lib/telemetry/telemetry.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::fakes {
namespace {

using kube::Json;
using testing::ElementsAre;

constexpr Duration kTimeout = std::chrono::seconds(30);

class Server {
 public:
  virtual ~Server() = default;
  virtual kube::Client& client() = 0;
  // Lets the controllers work once.
  virtual void step() = 0;
};

class FakeServer final : public Server {
 public:
  kube::Client& client() override { return kube_; }
  void step() override { kube_.step(); }

 private:
  ManualClock clock_;
  FakeKube kube_{clock_};
};

class RealServer final : public Server {
 public:
  static Result<std::unique_ptr<Server>> create(const std::string& kubeconfig) {
    auto server = std::unique_ptr<RealServer>(new RealServer());
    SPANWAY_ASSIGN(
        server->access_,
        kube::Access::find(kubeconfig, "", config::Sources::of_process(), system_clock()));
    SPANWAY_ASSIGN(server->client_, kube::RestClient::create(*server->access_, system_clock(),
                                                             {server->log_, server->metrics_}, {}));
    return std::unique_ptr<Server>(std::move(server));
  }
  kube::Client& client() override { return *client_; }
  void step() override {}

 private:
  RealServer() = default;
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  std::unique_ptr<kube::Access> access_;
  std::unique_ptr<kube::Client> client_;
};

class ApiServerContract : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam()) == "Fake") {
      server_ = std::make_unique<FakeServer>();
    } else {
      const char* kubeconfig = std::getenv("SPANWAY_KUBECONFIG");
      if (kubeconfig == nullptr) GTEST_SKIP() << "SPANWAY_KUBECONFIG names no cluster";
      auto real = RealServer::create(kubeconfig);
      ASSERT_TRUE(real.ok()) << real.error().message;
      server_ = std::move(real).value();
    }
    name_space_ = "contract-" + std::to_string(Random::from_entropy().next() % 1'000'000'000);
    const auto created = client().create(
        kube::kNamespaces,
        {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name_space_}}}});
    ASSERT_TRUE(created.ok()) << created.error().message;
  }
  void TearDown() override {
    if (server_) (void)client().remove(kube::kNamespaces, {"", name_space_});
  }

  kube::Client& client() { return server_->client(); }
  kube::ObjectKey key(const char* name = "x") const { return {name_space_, name}; }
  Json config_map(Json data, const char* name = "x") const {
    return {{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata", {{"name", name}, {"namespace", name_space_}}},
            {"data", std::move(data)}};
  }
  Json deployment(Json spec) const {
    spec["selector"] = {{"matchLabels", {{"app", "x"}}}};
    spec["template"] = {
        {"metadata", {{"labels", {{"app", "x"}}}}},
        {"spec",
         {{"containers", Json::array({{{"name", "main"}, {"image", "localhost/none:1"}}})}}}};
    return {{"apiVersion", "apps/v1"},
            {"kind", "Deployment"},
            {"metadata", {{"name", "x"}, {"namespace", name_space_}}},
            {"spec", std::move(spec)}};
  }
  Result<Json> apply(Json data, const char* manager, bool force = true) {
    return client().apply(kube::kConfigMaps, config_map(std::move(data)),
                          {.field_manager = manager, .force = force});
  }
  Json data() {
    auto live = client().get(kube::kConfigMaps, key());
    return live.ok() ? live->value("data", Json::object()) : Json();
  }
  static std::string version(const Json& object) {
    return kube::string_at(object, "metadata/resourceVersion");
  }

  std::unique_ptr<Server> server_;
  std::string name_space_;
};

TEST_P(ApiServerContract, ApplyingTheSameTwiceIsOneVersion) {
  const auto once = apply({{"a", "1"}}, "m");
  const auto twice = apply({{"a", "1"}}, "m");
  ASSERT_TRUE(once.ok() && twice.ok());
  EXPECT_EQ(version(*once), version(*twice));
}

TEST_P(ApiServerContract, ApplyRemovesOnlyWhatNoOtherManagerOwns) {
  ASSERT_TRUE(apply({{"a", "1"}, {"b", "2"}}, "m").ok());
  ASSERT_TRUE(apply({{"b", "2"}, {"c", "3"}}, "other").ok());
  ASSERT_TRUE(apply({{"z", "0"}}, "m").ok());
  EXPECT_EQ(data(), (Json{{"b", "2"}, {"c", "3"}, {"z", "0"}}));
}

TEST_P(ApiServerContract, AConflictIsAnErrorUnlessForced) {
  ASSERT_TRUE(apply({{"a", "1"}}, "m").ok());
  const auto refused = apply({{"a", "2"}}, "other", false);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kAborted);
  ASSERT_TRUE(apply({{"a", "2"}}, "other").ok());
  EXPECT_EQ(data(), (Json{{"a", "2"}}));
}

TEST_P(ApiServerContract, APatchTakesTheOwnershipOfTheField) {
  ASSERT_TRUE(apply({{"a", "1"}}, "m").ok());
  ASSERT_TRUE(client().merge_patch(kube::kConfigMaps, key(), {{"data", {{"a", "5"}}}}).ok());
  ASSERT_TRUE(apply({{"b", "1"}}, "m").ok());
  EXPECT_EQ(data(), (Json{{"a", "5"}, {"b", "1"}}));
}

TEST_P(ApiServerContract, ReplicasFallBackToOneWhenTheirOnlyOwnerGivesThemUp) {
  const kube::ApplyOptions as_owner{.field_manager = "m"};
  ASSERT_TRUE(client().apply(kube::kDeployments, deployment({{"replicas", 4}}), as_owner).ok());
  ASSERT_TRUE(
      client().apply(kube::kDeployments, deployment({{"minReadySeconds", 1}}), as_owner).ok());
  const auto live = client().get(kube::kDeployments, key());
  ASSERT_TRUE(live.ok());
  EXPECT_EQ(kube::int_at(*live, "spec/replicas"), 1);
}

TEST_P(ApiServerContract, LabelsAndStatusLeaveTheGenerationAndStatusIsWrittenSeparately) {
  ASSERT_TRUE(client().apply(kube::kDeployments, deployment({{"replicas", 0}}), {}).ok());
  const auto patched = client().merge_patch(
      kube::kDeployments, key(),
      {{"metadata", {{"labels", {{"a", "b"}}}}}, {"status", {{"collisionCount", 77}}}});
  ASSERT_TRUE(patched.ok());
  EXPECT_EQ(kube::int_at(*patched, "metadata/generation"), 1);
  EXPECT_NE(kube::int_at(*patched, "status/collisionCount"), 77);
}

TEST_P(ApiServerContract, TheSpecAndTheAnnotationsOfADeploymentBumpItsGeneration) {
  ASSERT_TRUE(client().apply(kube::kDeployments, deployment({{"replicas", 0}}), {}).ok());
  const auto changed =
      client().merge_patch(kube::kDeployments, key(), {{"spec", {{"minReadySeconds", 3}}}});
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(kube::int_at(*changed, "metadata/generation"), 2);
  const auto annotated = client().merge_patch(kube::kDeployments, key(),
                                              {{"metadata", {{"annotations", {{"a", "b"}}}}}});
  ASSERT_TRUE(annotated.ok());
  EXPECT_EQ(kube::int_at(*annotated, "metadata/generation"), 3);
}

TEST_P(ApiServerContract, AChangedSelectorIsRefused) {
  ASSERT_TRUE(client().apply(kube::kDeployments, deployment({{"replicas", 0}}), {}).ok());
  Json other = deployment({{"replicas", 0}});
  other["spec"]["selector"]["matchLabels"]["app"] = "y";
  other["spec"]["template"]["metadata"]["labels"]["app"] = "y";
  const auto answer = client().apply(kube::kDeployments, other, {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
}

TEST_P(ApiServerContract, AnOldVersionIsAConflict) {
  const auto old = apply({{"a", "1"}}, "m");
  ASSERT_TRUE(old.ok());
  ASSERT_TRUE(apply({{"a", "2"}}, "m").ok());
  const auto answer = client().merge_patch(
      kube::kConfigMaps, key(),
      {{"metadata", {{"resourceVersion", version(*old)}}}, {"data", {{"a", "3"}}}});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kAborted);
  EXPECT_EQ(data(), (Json{{"a", "2"}}));
}

TEST_P(ApiServerContract, OnlyTheObjectOfThatUidIsDeleted) {
  const auto made = apply({{"a", "1"}}, "m");
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE(client().remove(kube::kConfigMaps, key(), "another-uid").ok());
  EXPECT_EQ(data(), (Json{{"a", "1"}}));
  EXPECT_TRUE(
      client().remove(kube::kConfigMaps, key(), kube::string_at(*made, "metadata/uid")).ok());
  const auto gone = client().get(kube::kConfigMaps, key());
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, Code::kNotFound);
}

TEST_P(ApiServerContract, OwnedObjectsAreDeletedWithTheirOwner) {
  const auto owner = client().apply(kube::kConfigMaps, config_map({{"a", "1"}}, "owner"), {});
  ASSERT_TRUE(owner.ok());
  Json owned = config_map({{"a", "1"}});
  owned["metadata"]["ownerReferences"] =
      Json::array({{{"apiVersion", "v1"},
                    {"kind", "ConfigMap"},
                    {"name", "owner"},
                    {"uid", kube::string_at(*owner, "metadata/uid")}}});
  ASSERT_TRUE(client().apply(kube::kConfigMaps, owned, {}).ok());
  ASSERT_TRUE(client().remove(kube::kConfigMaps, key("owner")).ok());
  EXPECT_TRUE(eventually(
      [this] {
        server_->step();
        return !client().get(kube::kConfigMaps, key()).ok();
      },
      kTimeout));
}

TEST_P(ApiServerContract, AWatchDeliversWhatComesAfterItsVersion) {
  ASSERT_TRUE(apply({{"a", "1"}}, "m").ok());
  kube::ListOptions all;
  all.name_space = name_space_;
  all.resource_version = "";
  const auto list = client().list(kube::kConfigMaps, all);
  ASSERT_TRUE(list.ok());
  kube::WatchOptions options;
  options.name_space = name_space_;
  options.resource_version = list->resource_version;
  std::vector<kube::WatchEvent::Type> types;
  std::stop_source stop;
  {
    const std::jthread thread = start_thread("watch", [&](const std::stop_token&) {
      (void)client().watch(kube::kConfigMaps, options, stop.get_token(),
                           [&](kube::WatchEvent event) {
                             if (event.type == kube::WatchEvent::Type::kBookmark ||
                                 kube::string_at(event.object, "metadata/name") != "x")
                               return true;
                             types.push_back(event.type);
                             return event.type != kube::WatchEvent::Type::kDeleted;
                           });
    });
    EXPECT_TRUE(apply({{"a", "2"}}, "m").ok());
    EXPECT_TRUE(client().remove(kube::kConfigMaps, key()).ok());
  }
  EXPECT_THAT(types,
              ElementsAre(kube::WatchEvent::Type::kModified, kube::WatchEvent::Type::kDeleted));
}

INSTANTIATE_TEST_SUITE_P(Servers, ApiServerContract, testing::Values("Fake", "Real"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace spanway::fakes
