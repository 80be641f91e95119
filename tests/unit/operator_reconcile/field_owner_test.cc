#include "operator/reconcile/field_owner.h"

#include <gtest/gtest.h>

namespace spanway::reconcile {
namespace {

using kube::Json;

Json entry(const char* manager, const char* operation, const char* time, const char* fields) {
  return {{"manager", manager},
          {"operation", operation},
          {"time", time},
          {"fieldsV1", *kube::parse_json(fields)}};
}

const Json kIntent = {
    {"spec",
     {{"replicas", 1},
      {"template",
       {{"containers", Json::array({{{"name", "a"}, {"image", "x"}}, {{"name", "b"}}})}}}}}};

TEST(FieldOwner, NamesTheManagerOfAPlainField) {
  const Json object = {
      {"metadata",
       {{"managedFields",
         Json::array({entry("us", "Apply", "2", R"({"f:spec":{"f:replicas":{}}})"),
                      entry("hpa", "Update", "1", R"({"f:spec":{"f:replicas":{}}})")})}}}};
  EXPECT_EQ(other_manager(object, kIntent, "spec/replicas", "us"), "hpa");
  EXPECT_TRUE(applied_by(object, "spec/replicas", "us"));
  EXPECT_FALSE(applied_by(object, "spec/replicas", "hpa"));
  EXPECT_FALSE(applied_by(object, "spec/paused", "us"));
}

TEST(FieldOwner, FindsListItemsByTheirKey) {
  const Json object = {
      {"metadata",
       {{"managedFields", Json::array({entry("kubectl", "Update", "1",
                                             R"({"f:spec":{"f:template":{"f:containers":{
                                "k:{\"name\":\"a\"}":{"f:image":{}}}}}})")})}}}};
  EXPECT_EQ(other_manager(object, kIntent, "spec/template/containers/0/image", "us"), "kubectl");
  EXPECT_EQ(other_manager(object, kIntent, "spec/template/containers/1/image", "us"), "");
}

TEST(FieldOwner, TakesTheNewestOfSeveral) {
  const Json object = {
      {"metadata",
       {{"managedFields", Json::array({entry("old", "Update", "2026-01-01T00:00:00Z",
                                             R"({"f:spec":{"f:replicas":{}}})"),
                                       entry("new", "Update", "2026-01-02T00:00:00Z",
                                             R"({"f:spec":{"f:replicas":{}}})")})}}}};
  EXPECT_EQ(other_manager(object, kIntent, "spec/replicas", "us"), "new");
}

TEST(FieldOwner, SurvivesWhatItDoesNotUnderstand) {
  EXPECT_EQ(other_manager(Json::object(), kIntent, "spec/replicas", "us"), "");
  const Json odd = {{"metadata",
                     {{"managedFields", Json::array({{{"manager", "x"}, {"fieldsV1", "no object"}},
                                                     entry("y", "Update", "1",
                                                           R"({"f:spec":{"k:{no json":{}}})")})}}}};
  EXPECT_EQ(other_manager(odd, kIntent, "spec/template/containers/0/image", "us"), "");
  EXPECT_EQ(other_manager(odd, kIntent, "", "us"), other_manager(odd, kIntent, "", "us"));
}

}  // namespace
}  // namespace spanway::reconcile
