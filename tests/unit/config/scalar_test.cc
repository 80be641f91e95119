#include "services/lib/config/scalar.h"

#include <gtest/gtest.h>

#include "services/lib/base/json_writer.h"

namespace spanway::config {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(ParseBool, TakesTwoWordsOnly) {
  EXPECT_EQ(parse_bool("true"), true);
  EXPECT_EQ(parse_bool("false"), false);
  for (const char* text : {"", "yes", "no", "on", "True", "TRUE", "1", "0", " true", "y"})
    EXPECT_FALSE(parse_bool(text).has_value()) << text;
}

TEST(ParseInt, TakesPlainDecimalsThatFit) {
  EXPECT_EQ(parse_int("0"), 0);
  EXPECT_EQ(parse_int("-7"), -7);
  EXPECT_EQ(parse_int("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_int("-9223372036854775808"), INT64_MIN);
  for (const char* text : {"", "-", "+1", "01", "0x1", "1_000", "1.0", "1e3", " 1", "1 ",
                           "9223372036854775808", "18446744073709551615"})
    EXPECT_FALSE(parse_int(text).has_value()) << text;
}

TEST(ParseDouble, TakesFiniteNumbers) {
  EXPECT_EQ(parse_double("0.25"), 0.25);
  EXPECT_EQ(parse_double("-1e3"), -1000.0);
  EXPECT_EQ(parse_double("7"), 7.0);
  for (const char* text : {"", "nan", "inf", "-inf", ".5", "1e999", "0x1p3", "01", "1,5", "+1"})
    EXPECT_FALSE(parse_double(text).has_value()) << text;
}

TEST(ParseDuration, NeedsAUnit) {
  EXPECT_EQ(parse_duration("200ms"), Duration(milliseconds(200)));
  EXPECT_EQ(parse_duration("5s"), Duration(seconds(5)));
  EXPECT_EQ(parse_duration("2m"), Duration(minutes(2)));
  EXPECT_EQ(parse_duration("1h"), Duration(hours(1)));
  EXPECT_EQ(parse_duration("0"), Duration::zero());
  EXPECT_EQ(parse_duration("0s"), Duration::zero());
  for (const char* text : {"", "5", "s", "1.5s", "-1s", "1 s", "1d", "1S", "05s", "1h30m",
                           "9223372036854775808ns", "9999999999999h"})
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
}

TEST(ParseSize, TakesBinaryUnitsAndBytes) {
  EXPECT_EQ(parse_size("900KiB"), ByteSize{900ULL << 10});
  EXPECT_EQ(parse_size("64MiB"), ByteSize{64ULL << 20});
  EXPECT_EQ(parse_size("1GiB"), ByteSize{1ULL << 30});
  EXPECT_EQ(parse_size("12B"), ByteSize{12});
  EXPECT_EQ(parse_size("1000"), ByteSize{1000});
  EXPECT_EQ(parse_size("18446744073709551615"), ByteSize{~0ULL});
  for (const char* text : {"", "64MB", "64M", "64Mi", "1.5GiB", "-1", "1 KiB", "1kib",
                           "18446744073709551616", "16777216TiB"})
    EXPECT_FALSE(parse_size(text).has_value()) << text;
}

TEST(FormatDuration, IsWhatParsesToTheSame) {
  for (const Duration value :
       {Duration::zero(), Duration(nanoseconds(1)), Duration(microseconds(1500)),
        Duration(milliseconds(999)), Duration(seconds(90)), Duration(minutes(60)),
        Duration(hours(48)), Duration::max()})
    EXPECT_EQ(parse_duration(format_duration(value)), value) << format_duration(value);
  EXPECT_EQ(format_duration(seconds(90)), "90s");
  EXPECT_EQ(format_duration(minutes(120)), "2h");
}

TEST(FormatSize, IsWhatParsesToTheSame) {
  for (const std::uint64_t bytes : {0ULL, 1ULL, 1000ULL, 1024ULL, 900ULL << 10, 3ULL << 40, ~0ULL})
    EXPECT_EQ(parse_size(format_size({bytes})), ByteSize{bytes}) << format_size({bytes});
  EXPECT_EQ(format_size({1000}), "1000");
  EXPECT_EQ(format_size({64ULL << 20}), "64MiB");
}

TEST(FormatDouble, IsWhatParsesToTheSame) {
  for (const double value : {0.0, 0.1, 1.0 / 3.0, 1e100, -2.5e-8})
    EXPECT_EQ(parse_double(format_double(value)), value);
}

TEST(SplitList, TrimsAndDropsEmptyParts) {
  EXPECT_EQ(split_list("a, b ,,c,"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(split_list("").empty());
  EXPECT_TRUE(split_list(" , ").empty());
}

TEST(Quote, KeepsOneBoundedLine) {
  EXPECT_EQ(quote("a\nb\x1b[31m"), "'a\\x0ab\\x1b[31m'");
  const std::string shown = quote(std::string(10'000, 'x'));
  EXPECT_LT(shown.size(), 80U);
  EXPECT_TRUE(shown.ends_with("...'"));
  // Never half a character.
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "x\xc3\xa4";
  EXPECT_EQ(json_quoted(quote(umlauts)).find("\xef\xbf\xbd"), std::string::npos);
}

TEST(Nearest, FindsMisspeltNames) {
  const std::vector<std::string> known{"topic", "brokers", "client_id", "tls"};
  EXPECT_EQ(nearest("tpoic", known), "topic");
  EXPECT_EQ(nearest("broker", known), "brokers");
  EXPECT_EQ(nearest("clientId", known), "client_id");
  EXPECT_EQ(nearest("client-id", known), "client_id");
  EXPECT_EQ(nearest("compression", known), "");
  EXPECT_EQ(nearest("user", {"cluster", "username"}), "username");
  EXPECT_EQ(nearest("cl", known), "");
  EXPECT_EQ(nearest("x", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest(std::string(1 << 20, 'a'), known), "");
  EXPECT_EQ(did_you_mean("tpoic", known), " (did you mean 'topic'?)");
  EXPECT_EQ(did_you_mean("compression", known), "");
}

}  // namespace
}  // namespace spanway::config
