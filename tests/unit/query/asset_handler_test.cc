#include "services/query/web/asset_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "services/lib/http/content_coding.h"

namespace spanway::query::web {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class AssetHandlerTest : public testing::Test {
 protected:
  http::Response get(const std::string& path, const std::string& header = "",
                     const std::string& value = "", const std::string& method = "GET") {
    http::RequestHead head;
    head.method = method;
    head.path = path;
    if (!header.empty()) head.headers.add(header, value);
    auto answer = handler_.answer(head);
    EXPECT_TRUE(answer) << path;
    return answer ? std::move(*answer) : http::Response();
  }
  static std::string coded(const std::string& text) {
    const auto bytes = http::encode(http::ContentCoding::kGzip, text);
    return bytes.ok() ? std::string(bytes.value().view()) : "";
  }

  const std::string page_ = coded("<html>"), script_ = coded("export {};");
  const std::array<Asset, 2> assets_ = {
      {{"/", "text/html", "aa11", page_, 6},
       {"/assets/f00/main.js", "text/javascript", "bb22", script_, 10}}};
  const AssetHandler handler_{assets_};
};

TEST_F(AssetHandlerTest, OtherPathsAreLeftToTheApis) {
  for (const char* path : {"/health", "/api/traces", "/assets", "//", "/index.html"}) {
    http::RequestHead head;
    head.method = "GET";
    head.path = path;
    EXPECT_FALSE(handler_.answer(head)) << path;
  }
}

TEST_F(AssetHandlerTest, ThePageIsRevalidatedAndItsFilesAreKept) {
  const http::Response page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body.view(), "<html>");
  EXPECT_EQ(page.headers.get("content-type"), "text/html");
  EXPECT_EQ(page.headers.get("cache-control"), "no-cache");
  const http::Response script = get("/assets/f00/main.js");
  EXPECT_EQ(script.body.view(), "export {};");
  EXPECT_THAT(std::string(script.headers.get("cache-control")), HasSubstr("immutable"));
}

TEST_F(AssetHandlerTest, NothingComesFromElsewhere) {
  for (const char* path : {"/", "/assets/f00/main.js"}) {
    const http::Response answer = get(path);
    const std::string policy(answer.headers.get("content-security-policy"));
    EXPECT_THAT(policy, StartsWith("default-src 'self'; "));
    EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(answer.headers.get("x-content-type-options"), "nosniff");
    EXPECT_EQ(answer.headers.get("referrer-policy"), "no-referrer");
  }
}

TEST_F(AssetHandlerTest, GzipIsSentAsItIsStoredToThoseWhoTakeIt) {
  for (const char* takes : {"gzip", "gzip, deflate, br", "br;q=1, gzip;q=0.5", "GZIP"}) {
    const http::Response answer = get("/", "accept-encoding", takes);
    EXPECT_EQ(answer.headers.get("content-encoding"), "gzip") << takes;
    EXPECT_EQ(answer.body.view(), page_);
    EXPECT_EQ(answer.headers.get("vary"), "accept-encoding");
  }
  for (const char* takes : {"", "identity", "br, deflate", "gzip;q=0", "gzip; q=0.00", "xgzip"}) {
    const http::Response answer = get("/", "accept-encoding", takes);
    EXPECT_EQ(answer.headers.count("content-encoding"), 0u) << takes;
    EXPECT_EQ(answer.body.view(), "<html>");
  }
}

TEST_F(AssetHandlerTest, WhoHasTheFileGetsNoBody) {
  const std::string tag(get("/").headers.get("etag"));
  EXPECT_EQ(tag, "W/\"aa11\"");
  for (const std::string& has :
       {tag, std::string("\"aa11\""), "\"zz\", " + tag, std::string("*")}) {
    const http::Response answer = get("/", "if-none-match", has);
    EXPECT_EQ(answer.status, 304) << has;
    EXPECT_TRUE(answer.body.empty());
    EXPECT_EQ(answer.headers.get("etag"), tag);
  }
  EXPECT_EQ(get("/", "if-none-match", "\"bb22\"").status, 200);
}

TEST_F(AssetHandlerTest, UnknownFilesAndOtherMethodsAreRefused) {
  const http::Response unknown = get("/assets/0ld/main.js");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.headers.get("cache-control"), "no-store");
  const http::Response posted = get("/", "", "", "POST");
  EXPECT_EQ(posted.status, 405);
  EXPECT_EQ(posted.headers.get("allow"), "GET");
}

TEST(AssetHandler, WithoutAPageItSaysSo) {
  const AssetHandler handler{{}};
  http::RequestHead head;
  head.method = "GET";
  head.path = "/";
  const auto answer = handler.answer(head);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404);
  EXPECT_THAT(std::string(answer->body.view()), HasSubstr("SPANWAY_WEB=OFF"));
}

TEST(BuiltInAssets, HaveOnePageAndEachFileOnce) {
  const auto assets = built_in_assets();
  if (assets.empty()) GTEST_SKIP() << "built without the page";
  const AssetHandler handler(assets);
  int pages = 0;
  for (const Asset& asset : assets) {
    pages += asset.path == "/" ? 1 : 0;
    EXPECT_TRUE(asset.path == "/" || asset.path.starts_with("/assets/")) << asset.path;
    EXPECT_EQ(std::count_if(assets.begin(), assets.end(),
                            [&](const Asset& other) { return other.path == asset.path; }),
              1);
    http::RequestHead head;
    head.method = "GET";
    head.path = asset.path;
    const auto answer = handler.answer(head);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body.size(), asset.bytes) << asset.path;
  }
  EXPECT_EQ(pages, 1);
}

}  // namespace
}  // namespace spanway::query::web
