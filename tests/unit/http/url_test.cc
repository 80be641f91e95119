#include <gtest/gtest.h>

#include "services/lib/http/client.h"
#include "services/lib/http/request_target.h"

namespace spanway::http {
namespace {

TEST(Url, TakesWhatPeopleWrite) {
  struct Case {
    const char* text;
    bool https;
    const char* host;
    std::uint16_t port;
    const char* path;
  };
  for (const Case& expected : {
           Case{"http://a", false, "a", 80, "/"},
           Case{"HTTPS://Example.ORG/X/y?Z=1", true, "example.org", 443, "/X/y?Z=1"},
           Case{"http://a_b-c.d:8080", false, "a_b-c.d", 8080, "/"},
           Case{"http://127.0.0.1:9411/api/v2/spans", false, "127.0.0.1", 9411, "/api/v2/spans"},
           Case{"https://[::1]:1/", true, "::1", 1, "/"},
           Case{"http://[FE80::1]", false, "fe80::1", 80, "/"},
           Case{"http://a?b=c", false, "a", 80, "/?b=c"},
           Case{"http://a:65535/", false, "a", 65535, "/"},
       }) {
    const auto url = Url::parse(expected.text);
    ASSERT_TRUE(url.ok()) << expected.text;
    EXPECT_EQ(url->https, expected.https) << expected.text;
    EXPECT_EQ(url->host, expected.host) << expected.text;
    EXPECT_EQ(url->port, expected.port) << expected.text;
    EXPECT_EQ(url->path, expected.path) << expected.text;
  }
}

TEST(Url, RefusesTheRestWithoutRepeatingIt) {
  for (const char* text : {"",
                           "a",
                           "a:80",
                           "//a",
                           "ftp://a",
                           "file:///etc/passwd",
                           "unix:/x",
                           "http:/a",
                           "http://",
                           "http:///a",
                           "http://:80",
                           "http://a:",
                           "http://a:0",
                           "http://a:65536",
                           "http://a:8o",
                           "http://a:+1",
                           "http://a:80:80",
                           "http://user:hunter2@a/",
                           "http://a@b",
                           "http://a b",
                           "http://a/\r\nX: y",
                           "http://a/\t",
                           "http://a\\b",
                           "http://a/#f",
                           "http://[::1",
                           "http://[]",
                           "http://[::1]80",
                           "http://[::g]",
                           "http://\xc3\xa4",
                           "http://a%41"}) {
    const auto url = Url::parse(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_STREQ(url.error().reason, "url_invalid");
    EXPECT_EQ(url.error().message.find("hunter2"), std::string::npos);
  }
}

TEST(RequestTarget, DecodesThePathExactlyOnce) {
  const auto target = parse_request_target("/a%2Fb/%252e%252e?q=%41&r");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->path, "/a/b/%2e%2e");
  EXPECT_EQ(target->query, "q=%41&r");
}

TEST(RequestTarget, TakesAllForms) {
  EXPECT_EQ(parse_request_target("*").value().path, "*");
  EXPECT_EQ(parse_request_target("http://a").value().path, "/");
  EXPECT_EQ(parse_request_target("http://a?x").value().query, "x");
  EXPECT_EQ(parse_request_target("https://a:1/b?c").value().path, "/b");
  EXPECT_EQ(parse_request_target("/?").value().query, "");
  EXPECT_EQ(parse_request_target("/%C3%A4").value().path, "/\xc3\xa4");
}

TEST(RequestTarget, RefusesWhatIsMalformed) {
  for (const char* text : {"", "a", "%2Fa", "/%", "/%4", "/%4g", "/%00", "/a b", "/\x01", "/a#",
                           "/\x7f", "a:80", "ftp://a/b"})
    EXPECT_FALSE(parse_request_target(text).ok()) << text;
}

TEST(SendableField, RefusesWhatCouldSplitAnAnswer) {
  EXPECT_TRUE(is_sendable_field("content-type", "text/plain; charset=utf-8"));
  EXPECT_TRUE(is_sendable_field("x", ""));
  EXPECT_TRUE(is_sendable_field("x", "\xc3\xa4\t"));
  EXPECT_FALSE(is_sendable_field("", "x"));
  EXPECT_FALSE(is_sendable_field("X", "x"));
  EXPECT_FALSE(is_sendable_field("a b", "x"));
  EXPECT_FALSE(is_sendable_field("a:", "x"));
  EXPECT_FALSE(is_sendable_field("a", "x\r\ny: z"));
  EXPECT_FALSE(is_sendable_field("a", "x\n"));
  EXPECT_FALSE(is_sendable_field("a", std::string_view("x\0", 2)));
}

}  // namespace
}  // namespace spanway::http
