#include "services/lib/clickhouse/query.h"

#include <gtest/gtest.h>

namespace spanway::clickhouse {
namespace {

TEST(Query, ValuesOfParametersAreEscapedAsTheServerReadsThem) {
  EXPECT_EQ(escape_parameter(std::string_view("a\tb\nc\rd\0e\\f'g", 13)),
            "a\\tb\\nc\\rd\\0e\\\\f\\'g");
  EXPECT_EQ(escape_parameter("\xff plain \"text\""), "\xff plain \"text\"");
}

TEST(Query, TheTargetHoldsEverythingPercentEncoded) {
  Parameters parameters;
  parameters.add("id", "a&b=c").add("limit", std::int64_t{-5});
  EXPECT_EQ(query_target("/", "my db", "", {{"max_threads", "2"}}, parameters),
            "/?database=my%20db&max_threads=2&param_id=a%26b%3Dc&param_limit=-5");
  EXPECT_EQ(query_target("/ch?key=x", "", "SELECT 1", {}, {}), "/ch?key=x&query=SELECT%201");
  EXPECT_EQ(query_target("/", "", "", {}, {}), "/");
}

TEST(Query, AListHoldsQuotedTexts) {
  Parameters parameters;
  parameters.add_list("keys", std::vector<std::string>{"a", "it's", "\\", "b\tc"});
  parameters.add_list("none", {});
  ASSERT_EQ(parameters.values().size(), 2u);
  EXPECT_EQ(parameters.values()[0].second, "['a','it\\'s','\\\\','b\\tc']");
  EXPECT_EQ(parameters.values()[1].second, "[]");
}

TEST(Query, AnIdentifierCannotEndItsQuotes) {
  EXPECT_EQ(quote_identifier("events.ts"), "`events.ts`");
  EXPECT_EQ(quote_identifier("a`b\\"), "`a\\`b\\\\`");
}

}  // namespace
}  // namespace spanway::clickhouse
