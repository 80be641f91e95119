#include "operator/reconcile/stores.h"

#include <gtest/gtest.h>

namespace spanway::reconcile {
namespace {

Json object(const char* kind, const char* name_space, const char* name) {
  return {{"apiVersion", "v1"},
          {"kind", kind},
          {"metadata",
           {{"name", name},
            {"namespace", name_space},
            {"resourceVersion", "1"},
            {"labels", {{"spanway.dev/pipeline", "p"}}}}}};
}

TEST(Stores, KeepsOfAPodWhatIsNeeded) {
  Json pod = object("Pod", "a", "x");
  pod["spec"] = {{"volumes", Json::array({{{"name", "c"}, {"configMap", {{"name", "cm"}}}},
                                          {{"name", "s"}, {"secret", {{"secretName", "s"}}}}})},
                 {"containers", Json::array({{{"name", "i"}, {"image", "m"}, {"env", "long"}}})}};
  pod["status"] = {{"podIP", "1.2.3.4"}};
  const Json kept = project(kube::kPods, pod);
  EXPECT_EQ(kept["spec"], (Json{{"volumes", Json::array({{{"configMap", {{"name", "cm"}}}}})},
                                {"containers", Json::array({{{"name", "i"}, {"image", "m"}}})}}));
  EXPECT_EQ(kept["status"]["podIP"], "1.2.3.4");
}

TEST(Stores, KeepsNoDataThatCannotChange) {
  Json map = object("ConfigMap", "a", "x");
  map["data"] = {{"k", "v"}};
  EXPECT_TRUE(project(kube::kConfigMaps, map).contains("data"));
  map["immutable"] = true;
  EXPECT_FALSE(project(kube::kConfigMaps, map).contains("data"));
}

TEST(Stores, DistinguishesNamespaces) {
  const Stores stores({"a", "b"}, {kube::kServices});
  std::size_t services = 0;
  for (const Stores::Entry& entry : stores.entries()) {
    if (!(entry.type == kube::kServices)) continue;
    ++services;
    (void)entry.store->replace({object("Service", entry.name_space.c_str(), "x")});
  }
  EXPECT_EQ(services, 2u);
  // A new list of one namespace takes nothing from the other.
  EXPECT_TRUE(stores.get(kube::kServices, {"a", "x"}));
  EXPECT_TRUE(stores.get(kube::kServices, {"b", "x"}));
  EXPECT_FALSE(stores.get(kube::kServices, {"c", "x"}));
  EXPECT_EQ(stores.of_owner(kube::kServices, {"a", "p"}).size(), 1u);
  EXPECT_TRUE(stores.of_owner(kube::kSecrets, {"a", "p"}).empty());
}

TEST(Stores, OneWatchOverAllNamespacesKeepsOnlyThoseThatAreDesired) {
  const std::vector<std::string> namespaces = {"a", "b"};
  const auto kinds = Stores::owned_kinds({});
  Stores stores(namespaces, kinds, Stores::Watches::kClusterWide);
  EXPECT_EQ(stores.entries().size(), kinds.size() + 2);
  for (const Stores::Entry& entry : stores.entries()) {
    if (!(entry.type == kube::kServices)) continue;
    EXPECT_EQ(entry.name_space, "");
    for (const char* name_space : {"a", "c"})
      (void)entry.store->upsert(
          {{"metadata", {{"name", "x"}, {"namespace", name_space}, {"resourceVersion", "1"}}}});
  }
  EXPECT_TRUE(stores.get(kube::kServices, {"a", "x"}).has_value());
  EXPECT_FALSE(stores.get(kube::kServices, {"c", "x"}).has_value());
  EXPECT_EQ(Stores(namespaces, kinds).entries().size(), 2 * (kinds.size() + 2));
}

}  // namespace
}  // namespace spanway::reconcile
