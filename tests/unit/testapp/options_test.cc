#include "services/testapp/options.h"

#include <gtest/gtest.h>

namespace spanway::testapp {
namespace {

TEST(ParseOptions, HasDefaultsForBothProtocols) {
  const auto grpc = parse_options({});
  ASSERT_TRUE(grpc.ok());
  EXPECT_EQ(grpc->endpoint, "127.0.0.1:4317");
  EXPECT_EQ(grpc->interval, std::chrono::seconds(2));
  EXPECT_EQ(grpc->count, 0u);
  EXPECT_FALSE(grpc->seed.has_value());
  const auto http = parse_options({"--protocol", "http"});
  ASSERT_TRUE(http.ok());
  EXPECT_EQ(http->endpoint, "http://127.0.0.1:4318");
}

TEST(ParseOptions, ReadsEveryFlagInBothForms) {
  const auto options = parse_options({"--endpoint=ingress:14317", "--interval", "500ms",
                                      "--count=7", "--seed", "42", "--error-ratio=0.5", "--header",
                                      "Authorization=Bearer a=b", "--ca-file", "/ca.crt"});
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->endpoint, "ingress:14317");
  EXPECT_EQ(options->interval, std::chrono::milliseconds(500));
  EXPECT_EQ(options->count, 7u);
  EXPECT_EQ(options->seed, 42u);
  EXPECT_DOUBLE_EQ(options->error_ratio, 0.5);
  EXPECT_EQ(options->headers.at("authorization").reveal(), "Bearer a=b");
  EXPECT_EQ(options->ca_file, "/ca.crt");
  EXPECT_FALSE(options->tls);
}

TEST(ParseOptions, TakesUrlsForBothProtocols) {
  EXPECT_EQ(parse_options({"--endpoint", "http://a:1/"})->endpoint, "a:1");
  EXPECT_FALSE(parse_options({"--endpoint", "http://a:1"})->tls);
  EXPECT_TRUE(parse_options({"--endpoint", "https://a:1"})->tls);
  EXPECT_EQ(parse_options({"--protocol=http", "--endpoint", "a:1"})->endpoint, "http://a:1");
}

TEST(ParseOptions, SaysEveryMistakeAtOnce) {
  const auto options =
      parse_options({"--interval", "soon", "--bogus", "--count=-1", "--protocol=udp",
                     "--error-ratio=2", "--fault=fire", "--header", "x", "word", "--seed"});
  ASSERT_FALSE(options.ok());
  for (const char* part : {"--interval", "--bogus", "--count", "--protocol", "--error-ratio",
                           "--fault", "--header", "word", "--seed needs a value"})
    EXPECT_NE(options.error().message.find(part), std::string::npos) << part;
}

TEST(ParseOptions, KnowsHelp) {
  EXPECT_NE(parse_options({"--help"})->help.find("--error-ratio"), std::string::npos);
}

}  // namespace
}  // namespace spanway::testapp
