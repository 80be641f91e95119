#include "services/lib/objectstore/s3_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>

#include "services/lib/base/base64.h"
#include "services/lib/base/hex.h"
#include "services/lib/objectstore/sigv4.h"
#include "tests/fakes/fake_http_backend.h"

namespace spanway::objectstore {
namespace {

using fakes::SeenRequest;
using testing::ElementsAre;
using testing::HasSubstr;

http::Response stored() {
  http::Response response = fakes::http_answer(200);
  response.headers.add("etag", "\"e1\"");
  return response;
}

class S3ClientTest : public testing::Test {
 protected:
  S3ClientTest() {
    options_.bucket = "traces";
    options_.endpoint = backend_.url();
    options_.path_style = true;
    backend_.answer_with([](const SeenRequest&) { return stored(); });
  }
  S3Client& client() {
    if (!client_) {
      CredentialsOptions credentials;
      credentials.source = CredentialsSource::kEnvironment;
      credentials.environment = [](const char*) { return std::optional<std::string>("key"); };
      auto made =
          S3Client::create(options_, CredentialsProvider::create(credentials, io_, system_clock()),
                           io_, system_clock());
      SPANWAY_CHECK(made.ok());
      client_ = std::move(made).value();
    }
    return *client_;
  }
  template <typename T, typename Send>
  Result<T> ask(Send&& send) {
    std::promise<Result<T>> answer;
    send([&](Result<T> result) { answer.set_value(std::move(result)); });
    return answer.get_future().get();
  }
  static Deadline soon() { return Deadline::after(system_clock(), std::chrono::seconds(20)); }
  Result<std::string> put(const std::string& key, const std::string& body,
                          PutCondition condition = {}) {
    return ask<std::string>([&](auto done) {
      client().put({.key = key, .body = Bytes(body), .condition = condition}, soon(), done);
    });
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const SeenRequest& seen : backend_.requests())
      all.push_back(seen.head.method + " " + seen.head.path +
                    (seen.head.query.empty() ? "" : "?" + seen.head.query));
    return all;
  }

  S3Options options_;
  fakes::FakeHttpBackend backend_;
  http::IoPool io_{"s3", 1};
  std::unique_ptr<S3Client> client_;
};

TEST_F(S3ClientTest, PutsSignedWithAChecksum) {
  const auto etag = put("a/tenant=x y/1.parquet", "content");
  ASSERT_TRUE(etag.ok()) << etag.error().message;
  EXPECT_EQ(*etag, "\"e1\"");
  const SeenRequest seen = backend_.requests().at(0);
  EXPECT_EQ(seen.head.method, "PUT");
  EXPECT_EQ(seen.head.path, "/traces/a/tenant=x y/1.parquet");
  EXPECT_EQ(seen.head.headers.get("x-amz-checksum-sha256"), encode_base64(view(sha256("content"))));
  EXPECT_EQ(seen.head.headers.get("x-amz-content-sha256"), to_hex(view(sha256("content"))));
  EXPECT_THAT(std::string(seen.head.headers.get("authorization")),
              HasSubstr("/us-east-1/s3/aws4_request"));
}

TEST_F(S3ClientTest, NamesTheBucketInTheHostUnlessConfiguredOtherwise) {
  options_.path_style = false;
  options_.endpoint = "";
  options_.region = "eu-west-1";
  EXPECT_EQ(client().endpoint(), "https://traces.s3.eu-west-1.amazonaws.com");
}

TEST_F(S3ClientTest, SendsConditionsAndReportsThem) {
  backend_.answer_with([](const SeenRequest&) {
    return fakes::http_answer(412, "<Error><Code>PreconditionFailed</Code></Error>");
  });
  const auto refused = put("k", "x", {.if_absent = true});
  ASSERT_FALSE(refused.ok());
  EXPECT_STREQ(refused.error().reason, "s3_precondition_failed");
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  (void)put("k", "x", {.if_match = "\"e1\""});
  EXPECT_EQ(backend_.requests()[0].head.headers.get("if-none-match"), "*");
  EXPECT_EQ(backend_.requests()[1].head.headers.get("if-match"), "\"e1\"");
}

TEST_F(S3ClientTest, AnAnswerThatNoS3ServerSendsIsNoAcknowledgement) {
  backend_.answer_with([](const SeenRequest&) { return fakes::http_answer(200, "<html>"); });
  const auto answer = put("k", "x");
  ASSERT_FALSE(answer.ok());
  EXPECT_STREQ(answer.error().reason, "not_the_api");
  EXPECT_EQ(answer.error().refusal, Refusal::kConfiguration);
}

// Answers as S3 does for an upload in parts; the part of that number is refused.
fakes::Script multipart_script(int refused_part, const std::string& completed) {
  return [=](const SeenRequest& seen) -> fakes::Answer {
    const std::string& query = seen.head.query;
    if (query == "uploads=")
      return fakes::http_answer(200,
                                "<InitiateMultipartUploadResult><UploadId>u/1</UploadId>"
                                "</InitiateMultipartUploadResult>");
    if (seen.head.method == "POST") return fakes::http_answer(200, completed);
    if (query.find("partNumber=" + std::to_string(refused_part) + "&") != std::string::npos)
      return fakes::http_answer(503, "<Error><Code>SlowDown</Code></Error>");
    return stored();
  };
}

TEST_F(S3ClientTest, SendsALargeObjectInParts) {
  options_.part_bytes = 4;
  backend_.answer_with(multipart_script(
      0, "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>"));
  const auto etag = put("k", "aaaabbbbcc", {.if_absent = true});
  ASSERT_TRUE(etag.ok()) << etag.error().message;
  EXPECT_EQ(*etag, "\"whole\"");
  EXPECT_THAT(
      lines(),
      ElementsAre("POST /traces/k?uploads=", "PUT /traces/k?partNumber=1&uploadId=u%2F1",
                  "PUT /traces/k?partNumber=2&uploadId=u%2F1",
                  "PUT /traces/k?partNumber=3&uploadId=u%2F1", "POST /traces/k?uploadId=u%2F1"));
  const auto requests = backend_.requests();
  EXPECT_EQ(requests[3].body, "cc");
  EXPECT_THAT(requests[4].body, HasSubstr("<PartNumber>3</PartNumber>"));
  EXPECT_EQ(requests[4].head.headers.get("if-none-match"), "*");
}

TEST_F(S3ClientTest, AbortsAnUploadOfWhichAPartFails) {
  options_.part_bytes = 4;
  backend_.answer_with(multipart_script(2, ""));
  const auto answer = put("k", "aaaabbbbcc");
  ASSERT_FALSE(answer.ok());
  EXPECT_STREQ(answer.error().reason, "s3_slow_down");
  ASSERT_TRUE(backend_.wait_for_requests(4));
  EXPECT_EQ(lines().back(), "DELETE /traces/k?uploadId=u%2F1");
}

TEST_F(S3ClientTest, ACompletionThatFailsAfterItsStatusIsNoAcknowledgement) {
  options_.part_bytes = 4;
  backend_.answer_with(multipart_script(0, "<Error><Code>InternalError</Code></Error>"));
  const auto answer = put("k", "aaaabbbbcc");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
}

TEST_F(S3ClientTest, ReadsARange) {
  backend_.answer_with([](const SeenRequest& seen) {
    EXPECT_EQ(seen.head.headers.get("range"), "bytes=2-4");
    return fakes::http_answer(206, "cde");
  });
  const auto object = ask<Object>(
      [&](auto done) { client().get("k", ByteRange{.offset = 2, .length = 3}, soon(), done); });
  ASSERT_TRUE(object.ok()) << object.error().message;
  EXPECT_EQ(object->body.view(), "cde");
}

TEST_F(S3ClientTest, AnAnswerOfAnotherLengthIsNotTheRange) {
  backend_.answer_with([](const SeenRequest&) { return fakes::http_answer(206, "c"); });
  const auto object = ask<Object>(
      [&](auto done) { client().get("k", ByteRange{.offset = 2, .length = 3}, soon(), done); });
  ASSERT_FALSE(object.ok());
  EXPECT_STREQ(object.error().reason, "s3_range");
}

TEST_F(S3ClientTest, AnObjectThatIsTooLargeIsNotCutShort) {
  options_.answer_bytes_max = 100;
  backend_.answer_with(
      [](const SeenRequest&) { return fakes::http_answer(200, std::string(1000, 'x')); });
  const auto object =
      ask<Object>([&](auto done) { client().get("k", std::nullopt, soon(), done); });
  ASSERT_FALSE(object.ok());
  EXPECT_STREQ(object.error().reason, "s3_answer_too_large");
}

TEST_F(S3ClientTest, Lists) {
  backend_.answer_with([](const SeenRequest&) {
    return fakes::http_answer(
        200,
        "<?xml version=\"1.0\"?><ListBucketResult "
        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<IsTruncated>true</IsTruncated><NextContinuationToken>n&amp;1</NextContinuationToken>"
        "<Contents><Key>p/a&amp;b</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        "<ETag>\"e\"</ETag><Size>12</Size></Contents>"
        "<CommonPrefixes><Prefix>p/x/</Prefix></CommonPrefixes></ListBucketResult>",
        "application/xml");
  });
  const auto page = ask<ListPage>([&](auto done) {
    client().list({.prefix = "p/", .by_folder = true, .keys_max = 7}, soon(), done);
  });
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_THAT(page->objects,
              ElementsAre(ObjectInfo{.key = "p/a&b",
                                     .bytes = 12,
                                     .modified = SystemTime(std::chrono::seconds(1'767'225'600))}));
  EXPECT_THAT(page->prefixes, ElementsAre("p/x/"));
  EXPECT_EQ(page->next, "n&1");
  EXPECT_EQ(lines().at(0), "GET /traces?delimiter=%2F&list-type=2&max-keys=7&prefix=p%2F");
}

TEST_F(S3ClientTest, AListThatIsCutShortIsNoList) {
  backend_.answer_with([](const SeenRequest&) {
    return fakes::http_answer(200, "<ListBucketResult><Contents><Key>a</Key>", "application/xml");
  });
  const auto page = ask<ListPage>([&](auto done) { client().list({.prefix = ""}, soon(), done); });
  ASSERT_FALSE(page.ok());
}

TEST_F(S3ClientTest, RemovingWhatIsMissingIsDone) {
  backend_.answer_with([](const SeenRequest&) {
    return fakes::http_answer(404, "<Error><Code>NoSuchKey</Code></Error>");
  });
  EXPECT_TRUE(ask<void>([&](auto done) { client().remove("k", soon(), done); }).ok());
}

TEST_F(S3ClientTest, DestroyedItAnswersWhatIsUnderWay) {
  backend_.answer_with([](const SeenRequest&) -> fakes::Answer { return std::nullopt; });
  std::promise<Status> answer;
  client().remove("k", soon(), [&](Status status) { answer.set_value(std::move(status)); });
  ASSERT_TRUE(backend_.wait_for_requests(1));
  client_.reset();
  EXPECT_EQ(answer.get_future().get().error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace spanway::objectstore
