// The S3 client against a real server that checks signatures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>

#include "tests/fakes/manual_clock.h"
#include "tests/integration/s3/s3_server.h"

namespace spanway::objectstore {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class S3ClientOnServer : public testing::Test {
 protected:
  void SetUp() override {
    SPANWAY_NEEDS_S3();
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = "b";
    for (const char c : std::string(info->name())) name += static_cast<char>(std::tolower(c));
    options_ = S3Server::shared()->options(S3Server::shared()->bucket(name.substr(0, 60)));
    bucket_ = std::make_unique<TestBucket>(options_);
  }
  ObjectStore& store() { return bucket_->store(); }
  Result<std::string> put(const std::string& key, const std::string& body,
                          PutCondition condition = {}) {
    return store().put({.key = key, .body = Bytes(body), .condition = std::move(condition)});
  }

  S3Options options_;
  std::unique_ptr<TestBucket> bucket_;
};

TEST_F(S3ClientOnServer, StoresReadsListsAndRemoves) {
  const std::string key = "p/v1/tenant=\xc3\xa4 b+c/date=2026-01-01/x.parquet";
  const auto etag = put(key, "0123456789");
  ASSERT_TRUE(etag.ok()) << etag.error().message;
  const auto object = store().get(key);
  ASSERT_TRUE(object.ok()) << object.error().message;
  EXPECT_EQ(object->body.view(), "0123456789");
  EXPECT_EQ(object->etag, *etag);
  const auto range = store().read(key, {.offset = 3, .length = 4});
  ASSERT_TRUE(range.ok()) << range.error().message;
  EXPECT_EQ(range->view(), "3456");
  const auto listed = store().list("p/", false);
  ASSERT_TRUE(listed.ok()) << listed.error().message;
  ASSERT_EQ(listed->objects.size(), 1u);
  EXPECT_EQ(listed->objects[0].key, key);
  EXPECT_EQ(listed->objects[0].bytes, 10u);
  EXPECT_LT(system_clock().system_now() - listed->objects[0].modified, std::chrono::hours(1));
  EXPECT_THAT(store().list("p/", true)->prefixes, ElementsAre("p/v1/"));
  ASSERT_TRUE(store().remove(key).ok());
  ASSERT_TRUE(store().remove(key).ok());
  EXPECT_STREQ(store().get(key).error().reason, "s3_no_such_key");
}

TEST_F(S3ClientOnServer, ListsEveryPage) {
  for (int i = 0; i < 25; ++i) ASSERT_TRUE(put("k" + std::to_string(100 + i), "x").ok());
  std::string page;
  std::size_t objects = 0, pages = 0;
  do {
    std::promise<Result<ListPage>> answer;
    bucket_->client().list({.prefix = "k", .page = page, .keys_max = 10},
                           Deadline::after(system_clock(), std::chrono::seconds(20)),
                           [&](Result<ListPage> result) { answer.set_value(std::move(result)); });
    const auto result = answer.get_future().get();
    ASSERT_TRUE(result.ok()) << result.error().message;
    objects += result->objects.size();
    page = result->next;
    ++pages;
  } while (!page.empty());
  EXPECT_EQ(objects, 25u);
  EXPECT_EQ(pages, 3u);
}

TEST_F(S3ClientOnServer, PutsUnderAConditionOnly) {
  const auto first = put("m", "1", {.if_absent = true});
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_STREQ(put("m", "2", {.if_absent = true}).error().reason, "s3_precondition_failed");
  const auto second = put("m", "2", {.if_match = *first});
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_STREQ(put("m", "3", {.if_match = *first}).error().reason, "s3_precondition_failed");
  EXPECT_EQ(store().get("m")->body.view(), "2");
}

TEST_F(S3ClientOnServer, StoresALargeObjectInParts) {
  options_.part_bytes = 5u << 20;
  options_.answer_bytes_max = 64u << 20;
  TestBucket bucket(options_);
  std::string body(12u << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 >> 3);
  const auto etag = bucket.store().put({.key = "large", .body = Bytes(body)});
  ASSERT_TRUE(etag.ok()) << etag.error().message;
  const auto object = bucket.store().get("large");
  ASSERT_TRUE(object.ok()) << object.error().message;
  EXPECT_TRUE(object->body.view() == body);
}

TEST_F(S3ClientOnServer, RefusalsHaveTheirKind) {
  const auto refusal = [&](const S3Options& options, const std::string& key,
                           const std::string& secret, const Clock& clock = system_clock()) {
    TestBucket bucket(options, key, secret, clock);
    const auto answer = bucket.store().put({.key = "k", .body = Bytes("x")});
    EXPECT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().refusal, Refusal::kConfiguration) << answer.error().message;
    EXPECT_THAT(answer.error().message, testing::Not(HasSubstr(secret)));
    return std::string(answer.error().reason);
  };
  EXPECT_EQ(refusal(options_, "unknown", "testsecret"), "s3_bad_credentials");
  EXPECT_EQ(refusal(options_, "testkey", "wrongsecret"), "s3_bad_credentials");
  S3Options missing = options_;
  missing.bucket = "nosuchbucket";
  EXPECT_EQ(refusal(missing, "testkey", "testsecret"), "s3_no_such_bucket");
  S3Options region = options_;
  region.region = "eu-west-1";
  EXPECT_EQ(refusal(region, "testkey", "testsecret"), "s3_wrong_region");
}

TEST_F(S3ClientOnServer, AReadOnlyServerIsAConfigurationError) {
  const auto server = S3Server::create("READONLY=1");
  TestBucket bucket(server->options(server->bucket("traces")));
  const auto answer = bucket.store().put({.key = "k", .body = Bytes("x")});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kConfiguration) << answer.error().message;
}

}  // namespace
}  // namespace spanway::objectstore
