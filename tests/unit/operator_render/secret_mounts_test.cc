#include "operator/render/secret_mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Secrets, OnlyKeysThatAreNamedBecomeFiles) {
  const Rendering rendering = rendered(sample("secured"));
  std::map<std::string, std::vector<std::string>> keys;
  for (const Json& volume :
       at(component_of(rendering, Role::kIngress).workload.object, "spec/template/spec/volumes")) {
    for (const Json& item : at(volume, "secret/items"))
      keys[kube::string_at(volume, "secret/secretName")].push_back(kube::string_at(item, "key"));
  }
  EXPECT_THAT(keys["otlp-tokens"], ElementsAre("batch", "web"));
  EXPECT_THAT(keys["otlp-tls"], ElementsAre("tls.crt", "tls.key"));
  EXPECT_THAT(keys["otlp-clients"], ElementsAre("ca.crt"));
  EXPECT_EQ(keys.size(), 3u) << "secrets of other components";
}

TEST(Secrets, ThatTheServiceReadsAgainDoNotRestartIt) {
  const Rendering rendering = rendered(sample("secured"));
  const auto identity = [&](Role role, const std::string& exporter = "") {
    return kube::string_at(component_of(rendering, role, exporter).workload.object,
                           "spec/template/metadata/annotations/spanway.dev~1secrets");
  };
  EXPECT_EQ(identity(Role::kIngress), "");
  EXPECT_EQ(identity(Role::kExporter, "tempo"), "tempo-auth=uid-of-tempo-auth/1");
  EXPECT_EQ(identity(Role::kBridge),
            "kafka-ca=uid-of-kafka-ca/1,kafka-login=uid-of-kafka-login/1,"
            "kafka-user=uid-of-kafka-user/1");
  EXPECT_EQ(identity(Role::kConsumer, "tempo"), identity(Role::kBridge));
}

TEST(Secrets, OnlyTheKeysThatAreMountedRestartPods) {
  const auto template_with = [](const std::string& identity) {
    ClusterFacts facts = sample_facts();
    facts.secret_identities["kafka-login"] = identity;
    return component_of(render(sample("secured"), facts), Role::kBridge).revision;
  };
  const std::string mounted = sample("secured").spec.kafka.authentication.password.key;
  const std::string before = template_with("uid=1;other=a;" + mounted + "=b");
  EXPECT_EQ(template_with("uid=1;other=CHANGED;" + mounted + "=b"), before);
  EXPECT_NE(template_with("uid=1;other=a;" + mounted + "=CHANGED"), before);
}

TEST(Secrets, AreListedOnce) {
  EXPECT_THAT(referenced_secrets(sample("secured")),
              ElementsAre("kafka-ca", "kafka-login", "kafka-user", "otlp-clients", "otlp-tls",
                          "otlp-tokens", "tempo-auth", "tempo-ca", "tempo-client"));
  EXPECT_THAT(referenced_secrets(quickstart()), IsEmpty());
}

}  // namespace
}  // namespace spanway::render
