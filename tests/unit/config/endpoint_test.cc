#include "services/lib/config/endpoint.h"

#include <gtest/gtest.h>

namespace spanway::config {
namespace {

TEST(HostPort, TakesNamesAndAddressesWithAPort) {
  const struct {
    const char* text;
    const char* host;
    std::uint16_t port;
  } cases[] = {{"collector:4317", "collector", 4317},
               {"a-b.c_d.example.com:1", "a-b.c_d.example.com", 1},
               {"10.0.0.1:65535", "10.0.0.1", 65535},
               {"[::1]:4317", "::1", 4317}};
  for (const auto& c : cases) {
    HostPort parsed;
    EXPECT_EQ(parse_host_port(c.text, parsed), "") << c.text;
    EXPECT_EQ(parsed.host, c.host);
    EXPECT_EQ(parsed.port, c.port);
  }
}

TEST(HostPort, RefusesEverythingElse) {
  for (const char* text : {"",
                           "collector",
                           "collector:",
                           ":4317",
                           "collector:0",
                           "collector:65536",
                           "collector:99999",
                           "collector:-1",
                           "collector:4317x",
                           "collector:http",
                           "http://collector:4317",
                           "collector:4317/v1/traces",
                           "user@collector:4317",
                           "a b:1",
                           "::1:4317",
                           "[::1]",
                           "[::1:4317",
                           "[::1]4317",
                           "[]:1",
                           "[name]:1",
                           "coll\xc3\xa9:1",
                           "collector:4317 ",
                           "a:1,b:2"}) {
    HostPort parsed;
    EXPECT_NE(parse_host_port(text, parsed).find("must be host:port"), std::string::npos) << text;
  }
}

TEST(ParseUrl, SplitsWhatItTakes) {
  UrlParts parts;
  EXPECT_EQ(parse_url("HTTPS://OTLP.Example.com/base?key=1", parts), "");
  EXPECT_TRUE(parts.https);
  EXPECT_EQ(parts.host, "otlp.example.com");
  EXPECT_EQ(parts.port, 443);
  EXPECT_EQ(parts.path, "/base?key=1");
  EXPECT_EQ(parse_url("http://[::1]:4318", parts), "");
  EXPECT_FALSE(parts.https);
  EXPECT_EQ(parts.host, "::1");
  EXPECT_EQ(parts.port, 4318);
  EXPECT_EQ(parts.path, "/");
}

TEST(ParseUrl, RefusesWhatCannotBeConnectedToAndRepeatsNothing) {
  for (const char* text :
       {"", "collector:4318", "ftp://h", "http://", "http://:4318", "http://h:0", "http://h:99999",
        "http://user:s3cret@h", "http://h/a b", "http://h/#s3cret", "http://h\\s3cret",
        "http://h:1:2", "http://[::1", "http://h\n"}) {
    UrlParts parts;
    const std::string problem = parse_url(text, parts);
    EXPECT_NE(problem, "") << text;
    EXPECT_EQ(problem.find("s3cret"), std::string::npos);
  }
}

TEST(Headers, NamesAreChecked) {
  for (const HeaderUse use : {HeaderUse::kHttp, HeaderUse::kGrpc}) {
    for (const char* name : {"authorization", "Authorization", "X-API-Key", "x_y.z"})
      EXPECT_EQ(header_name_problem(name, use), "") << name;
    for (const char* name : {"", "a b", "a:b", ":path", "a\n", "\xc3\xa9", "Content-Type", "Host",
                             "te", "content-length", "a,b", "a/b"})
      EXPECT_NE(header_name_problem(name, use), "") << name;
  }
  EXPECT_EQ(header_name_problem("grpc-timeout", HeaderUse::kHttp), "");
  EXPECT_NE(header_name_problem("GRPC-Timeout", HeaderUse::kGrpc), "");
  EXPECT_EQ(header_name_problem("a!b", HeaderUse::kHttp), "");
  EXPECT_NE(header_name_problem("a!b", HeaderUse::kGrpc), "");
}

TEST(Headers, OfProtocolsAndOfMetadataAreKnownInAnyCase) {
  for (const char* name : {"Content-Type", "content-length", "HOST", "te", "connection", ":path",
                           "grpc-timeout", "Authorization", "upgrade", "accept-encoding"})
    EXPECT_TRUE(is_protocol_header(name)) << name;
  for (const char* name : {"x-scope-orgid", "tenant", "x-te"})
    EXPECT_FALSE(is_protocol_header(name)) << name;
  for (const char* name : {"Spanway-Tenant", "traceparent", "TraceState"})
    EXPECT_TRUE(is_metadata_header(name)) << name;
  EXPECT_FALSE(is_metadata_header("trace"));
}

TEST(Headers, ValuesHoldNoControlCharacters) {
  for (const HeaderUse use : {HeaderUse::kHttp, HeaderUse::kGrpc}) {
    EXPECT_EQ(header_value_problem("Bearer abc=~", use), "");
    EXPECT_EQ(header_value_problem("", use), "");
    for (const char* value : {"a\nb", "a\rb", "\x01", "\x7f"})
      EXPECT_NE(header_value_problem(value, use), "") << value;
  }
  EXPECT_EQ(header_value_problem("caf\xc3\xa9\t", HeaderUse::kHttp), "");
  EXPECT_NE(header_value_problem("caf\xc3\xa9", HeaderUse::kGrpc), "");
  EXPECT_NE(header_value_problem("a\tb", HeaderUse::kGrpc), "");
}

TEST(Headers, OfAMapAreCheckedTogether) {
  Problems problems;
  check_headers("d.headers",
                {{"Authorization", "a"}, {"authorization", "b"}, {"x y", "c"}, {"z", "\n"}},
                HeaderUse::kHttp, problems);
  ASSERT_EQ(problems.all().size(), 3u);
  EXPECT_EQ(problems.all()[0].path, "d.headers.authorization");
  EXPECT_NE(problems.all()[0].message.find("is a duplicate"), std::string::npos);
  EXPECT_EQ(problems.all()[1].path, "d.headers.x y");
  EXPECT_EQ(problems.all()[2].path, "d.headers.z");
}

TEST(Urls, ToWhichAPathIsAppendedHoldNoQuery) {
  for (const char* url : {"http://h", "https://h:1/otlp", "http://[::1]:4318/"})
    EXPECT_EQ(base_url_problem(url), "") << url;
  for (const char* url :
       {"http://h?a=b", "http://h/?", "http://h/otlp?a=b", "http://h#a", "h:4318"})
    EXPECT_NE(base_url_problem(url), "") << url;
  EXPECT_EQ(base_url_problem("http://h?key=secret").find("secret"), std::string::npos);
}

TEST(ListenHosts, AreAddressesAlone) {
  for (const char* host : {"0.0.0.0", "127.0.0.1", "::", "::1", "fe80::1%eth0", "localhost", ""})
    EXPECT_EQ(listen_host_problem(host), "") << host;
  for (const char* host : {"0.0.0.0:4317", "[::1]", "[::1]:4317", "[::", "http://a", "a b", "u@a"})
    EXPECT_NE(listen_host_problem(host), "") << host;
}

TEST(Brokers, AreOneHostAndPort) {
  for (const char* broker : {"a:1", "kafka-0.kafka.svc:9092", "10.0.0.1:65535", "[::1]:9092"})
    EXPECT_EQ(broker_problem(broker), "") << broker;
  for (const char* broker : {"", " ", "a", "a:", "a:0", ":1", "a:1;b:1", "a:1,b:1", "a:1 b:1",
                             "a:1\n", "ssl://a:1", "a:1/b", "u:p@a:1", "::1:9092"})
    EXPECT_NE(broker_problem(broker), "") << broker;
  EXPECT_EQ(broker_problem("me:secret@a:9092").find("secret"), std::string::npos);
}

TEST(Origins, AreWhatBrowsersSend) {
  for (const char* origin :
       {"*", "null", "https://a.example", "http://localhost:3000", "http://localhost:*",
        "https://*.a.example", "https://*", "*.a.example", "*://a.example", "capacitor://localhost",
        "http://[::1]:80"})
    EXPECT_EQ(origin_problem(origin), "") << origin;
  for (const char* origin :
       {"", "a.example", "https://a.example/", "https://a.example/shop", "https://a?b", "https://",
        "https://*.*", "https://a b", "https://u:p@a", "*/shop", "https://a\n"})
    EXPECT_NE(origin_problem(origin), "") << origin;
}

}  // namespace
}  // namespace spanway::config
