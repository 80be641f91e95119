#include "services/lib/otlp_server/cors.h"

#include <gtest/gtest.h>

namespace spanway::otlp_server {
namespace {

http::RequestHead preflight_from(std::string origin) {
  http::RequestHead head;
  head.method = "OPTIONS";
  head.headers.add("origin", std::move(origin));
  head.headers.add("access-control-request-method", "POST");
  return head;
}

CorsConfig origins(std::vector<std::string> allowed) {
  CorsConfig config;
  config.allowed_origins = std::move(allowed);
  return config;
}

TEST(CorsPolicy, IsOffByDefault) {
  const CorsPolicy cors({});
  EXPECT_FALSE(cors.enabled());
  EXPECT_FALSE(cors.preflight(preflight_from("https://shop.example.com")).has_value());
  EXPECT_TRUE(cors.response_headers(preflight_from("https://shop.example.com")).fields().empty());
}

TEST(CorsPolicy, AnswersThePreflightOfAnAllowedOrigin) {
  CorsConfig config = origins({"https://*.example.com"});
  config.allowed_headers = {"Authorization"};
  config.max_age = std::chrono::minutes(10);
  const CorsPolicy cors(config);
  const auto response = cors.preflight(preflight_from("https://shop.example.com"));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 204);
  EXPECT_EQ(response->headers.get("access-control-allow-origin"), "https://shop.example.com");
  EXPECT_EQ(response->headers.get("vary"), "origin");
  EXPECT_EQ(response->headers.get("access-control-allow-credentials"), "true");
  EXPECT_EQ(response->headers.get("access-control-allow-methods"), "POST");
  EXPECT_EQ(response->headers.get("access-control-allow-headers"),
            "content-type, content-encoding, authorization");
  EXPECT_EQ(response->headers.get("access-control-max-age"), "600");
}

TEST(CorsPolicy, MatchesOriginsWholeAndInAnyCase) {
  const CorsPolicy cors(origins({"https://*.example.com", "http://localhost:3000"}));
  EXPECT_TRUE(cors.preflight(preflight_from("HTTPS://Shop.Example.com")));
  EXPECT_TRUE(cors.preflight(preflight_from("http://localhost:3000")));
  for (const char* origin : {"https://example.com", "https://evil.com/.example.com.evil.com",
                             "http://shop.example.com", "http://localhost:30000", "null"})
    EXPECT_FALSE(cors.preflight(preflight_from(origin))) << origin;
}

TEST(CorsPolicy, AddsNothingForStrangers) {
  const CorsPolicy cors(origins({"https://shop.example.com"}));
  EXPECT_TRUE(cors.response_headers(preflight_from("https://evil.com")).fields().empty());
  EXPECT_TRUE(cors.response_headers({}).fields().empty());
  const auto headers = cors.response_headers(preflight_from("https://shop.example.com"));
  EXPECT_EQ(headers.get("access-control-allow-origin"), "https://shop.example.com");
  EXPECT_EQ(headers.get("access-control-expose-headers"), "retry-after");
}

TEST(CorsPolicy, SaysStarWhenAllOriginsMay) {
  const CorsPolicy cors(origins({"*"}));
  const auto response = cors.preflight(preflight_from("https://anything.org"));
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->headers.get("access-control-allow-origin"), "*");
  EXPECT_FALSE(response->headers.find("vary").has_value());
  EXPECT_FALSE(response->headers.find("access-control-allow-credentials").has_value());
}

// navigator.sendBeacon sends with credentials: the answer must name the origin and allow them.
TEST(CorsPolicy, LetsOnlyListedOriginsSendCredentials) {
  const CorsPolicy cors(origins({"*", "https://*.example.com"}));
  const auto listed = cors.response_headers(preflight_from("https://shop.example.com"));
  EXPECT_EQ(listed.get("access-control-allow-origin"), "https://shop.example.com");
  EXPECT_EQ(listed.get("access-control-allow-credentials"), "true");
  EXPECT_EQ(listed.get("vary"), "origin");
  const auto other = cors.response_headers(preflight_from("https://anything.org"));
  EXPECT_EQ(other.get("access-control-allow-origin"), "*");
  EXPECT_FALSE(other.find("access-control-allow-credentials").has_value());
  EXPECT_EQ(other.get("vary"), "origin");
}

TEST(CorsPolicy, KnowsAPreflightFromAPlainOptionsRequest) {
  EXPECT_TRUE(CorsPolicy::is_preflight(preflight_from("https://a")));
  http::RequestHead plain;
  plain.method = "OPTIONS";
  EXPECT_FALSE(CorsPolicy::is_preflight(plain));
  plain.headers.add("origin", "https://a");
  EXPECT_FALSE(CorsPolicy::is_preflight(plain));
}

}  // namespace
}  // namespace spanway::otlp_server
