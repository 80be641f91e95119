#include "operator/cache/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Json object(const std::string& name, const std::string& version, const std::string& pipeline = "") {
  Json made{
      {"kind", "Pod"},
      {"metadata",
       {{"name", name}, {"namespace", "ns"}, {"uid", "u-" + name}, {"resourceVersion", version}}},
      {"spec", {{"of", version}}}};
  if (!pipeline.empty()) made["metadata"]["labels"]["spanway.dev/pipeline"] = pipeline;
  return made;
}
ObjectKey key(const std::string& name) { return {"ns", name}; }

TEST(Store, FindsByKeyAndByOwner) {
  Store store(nullptr);
  EXPECT_THAT(store.upsert(object("a", "1", "p")), ElementsAre(key("p")));
  EXPECT_THAT(store.upsert(object("b", "2", "p")), ElementsAre(key("p")));
  EXPECT_THAT(store.upsert(object("c", "3", "q")), ElementsAre(key("q")));
  EXPECT_EQ(store.get(key("b")), object("b", "2", "p"));
  EXPECT_EQ(store.get(key("p")), std::nullopt);
  EXPECT_THAT(store.of_owner(key("p")), ElementsAre(object("a", "1", "p"), object("b", "2", "p")));
  EXPECT_THAT(store.of_owner({"other", "p"}), IsEmpty());
  EXPECT_THAT(store.keys(), ElementsAre(key("a"), key("b"), key("c")));
}

TEST(Store, WithoutTheLabelAnObjectIsItsOwnOwner) {
  Store store(nullptr);
  EXPECT_THAT(store.upsert(object("p", "1")), ElementsAre(key("p")));
  EXPECT_THAT(store.of_owner(key("p")), ElementsAre(object("p", "1")));
  EXPECT_THAT(store.erase(key("p")), ElementsAre(key("p")));
}

TEST(Store, NothingChangesWithTheSameVersion) {
  Store store(nullptr);
  ASSERT_THAT(store.upsert(object("a", "1", "p")), ElementsAre(key("p")));
  EXPECT_THAT(store.upsert(object("a", "1", "p")), IsEmpty());
  EXPECT_THAT(store.upsert(object("a", "2", "p")), ElementsAre(key("p")));
  // Deleted and made anew elsewhere: another object, whatever its version says.
  Json other = object("a", "2", "p");
  other["metadata"]["uid"] = "another";
  EXPECT_THAT(store.upsert(other), ElementsAre(key("p")));
}

TEST(Store, AChangeOfADroppedFieldNotifiesNoOwner) {
  Store store([](Json complete) {
    complete.erase("status");
    return complete;
  });
  Json made = object("a", "1", "p");
  ASSERT_THAT(store.upsert(made), ElementsAre(key("p")));
  made["metadata"]["resourceVersion"] = "2";
  made["status"]["currentMetrics"] = 17;
  EXPECT_THAT(store.upsert(made), IsEmpty());
  EXPECT_EQ(string_at(*store.get(key("a")), "metadata/resourceVersion"), "2") << "yet it is known";
  EXPECT_THAT(store.replace({made}), IsEmpty());
  made["metadata"]["resourceVersion"] = "3";
  made["spec"]["of"] = "other";
  EXPECT_THAT(store.upsert(made), ElementsAre(key("p")));
  EXPECT_EQ(store.bytes(), to_text(*store.get(key("a"))).size());
}

TEST(Store, HashesContentAndStatusSeparately) {
  Store store(nullptr);
  EXPECT_EQ(store.state(key("a")), std::nullopt);
  Json made = object("a", "1", "p");
  (void)store.upsert(made);
  const auto first = store.state(key("a"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->version, "1");

  made["metadata"]["resourceVersion"] = "2";
  made["status"]["readyReplicas"] = 1;
  EXPECT_THAT(store.upsert(made), ElementsAre(key("p"))) << "its owner is reconciled all the same";
  EXPECT_EQ(store.state(key("a"))->version, "2");
  EXPECT_EQ(store.state(key("a"))->content, first->content);
  made["metadata"]["resourceVersion"] = "3";
  made["status"]["readyReplicas"] = 2;
  EXPECT_THAT(store.upsert(made), ElementsAre(key("p")));

  for (const char* part : {"spec", "metadata"}) {
    Json other = made;
    other["metadata"]["resourceVersion"] = std::string("of ") + part;
    other[part]["labels"]["more"] = "x";
    (void)store.upsert(other);
    EXPECT_NE(store.state(key("a"))->content, first->content) << part;
  }
  // Deleted and made anew: another object.
  made["metadata"]["uid"] = "another";
  (void)store.upsert(made);
  EXPECT_NE(store.state(key("a"))->content, first->content);
}

TEST(Store, ListsTheKeysOfAnOwner) {
  Store store(nullptr);
  (void)store.replace({object("a", "1", "p"), object("b", "1", "p"), object("c", "1", "q")});
  EXPECT_THAT(store.keys_of_owner(key("p")), ElementsAre(key("a"), key("b")));
  EXPECT_THAT(store.keys_of_owner({"other", "p"}), IsEmpty());
}

TEST(Store, AnObjectThatChangesHandsConcernsBothOwners) {
  Store store(nullptr);
  ASSERT_THAT(store.upsert(object("a", "1", "p")), ElementsAre(key("p")));
  EXPECT_THAT(store.upsert(object("a", "2", "q")), ElementsAre(key("p"), key("q")));
  EXPECT_THAT(store.of_owner(key("p")), IsEmpty());
  EXPECT_EQ(store.of_owner(key("q")).size(), 1U);
  EXPECT_THAT(store.upsert(object("a", "3")), ElementsAre(key("a"), key("q")));
}

TEST(Store, ErasingAMissingObjectNotifiesNoOwner) {
  Store store(nullptr);
  EXPECT_THAT(store.erase(key("a")), IsEmpty());
  ASSERT_THAT(store.upsert(object("a", "1", "p")), ElementsAre(key("p")));
  EXPECT_THAT(store.erase(key("a")), ElementsAre(key("p")));
  EXPECT_THAT(store.erase(key("a")), IsEmpty());
  EXPECT_THAT(store.of_owner(key("p")), IsEmpty());
  EXPECT_EQ(store.size(), 0U);
  EXPECT_EQ(store.bytes(), 0U);
}

TEST(Store, ReplaceFindsNewChangedAndDeletedObjects) {
  Store store(nullptr);
  ASSERT_EQ(store
                .replace({object("same", "1", "p"), object("changed", "1", "q"),
                          object("gone", "1", "r")})
                .size(),
            3U);
  EXPECT_THAT(store.replace({object("same", "1", "p"), object("changed", "2", "q"),
                             object("new", "3", "s"), object("new2", "3", "s")}),
              ElementsAre(key("q"), key("r"), key("s")));
  EXPECT_THAT(store.keys(), ElementsAre(key("changed"), key("new"), key("new2"), key("same")));
  EXPECT_THAT(store.replace({}), ElementsAre(key("p"), key("q"), key("s")));
  EXPECT_EQ(store.bytes(), 0U);
}

TEST(Store, StoresTheProjectionButIndexesTheFullObject) {
  Store store([](const Json&) { return Json{{"only", "this"}}; });
  ASSERT_THAT(store.upsert(object("a", "1", "p")), ElementsAre(key("p")));
  EXPECT_EQ(store.get(key("a")), (Json{{"only", "this"}}));
  EXPECT_EQ(store.bytes(), std::string(R"({"only":"this"})").size());
  EXPECT_THAT(store.upsert(object("a", "1", "p")), IsEmpty());
}

TEST(Store, ObjectsWithoutANameAreIgnored) {
  Store store(nullptr);
  EXPECT_THAT(store.upsert(Json{{"kind", "Pod"}}), IsEmpty());
  EXPECT_THAT(store.upsert(Json::array()), IsEmpty());
  EXPECT_EQ(store.size(), 0U);
}

TEST(Projection, DropsTheBookkeepingOnly) {
  Json full = object("a", "1", "p");
  const Json expected = full;
  full["metadata"]["managedFields"] = {1, 2};
  EXPECT_EQ(without_bookkeeping(full), expected);
  full["metadata"]["annotations"] = {{"kubectl.kubernetes.io/last-applied-configuration", "{}"},
                                     {"mine", "stays"}};
  EXPECT_EQ(without_bookkeeping(full)["metadata"]["annotations"], (Json{{"mine", "stays"}}));
  EXPECT_EQ(without_bookkeeping(Json{{"metadata", 7}}), (Json{{"metadata", 7}}));
}

}  // namespace
}  // namespace spanway::kube
