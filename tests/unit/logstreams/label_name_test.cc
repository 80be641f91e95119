#include "services/lib/logstreams/label_name.h"

#include <gtest/gtest.h>

namespace spanway::logstreams {
namespace {

// The cases of prometheus/otlptranslator's own tests, and what Loki refuses a whole request for.
TEST(LabelName, FollowsLokisRules) {
  EXPECT_EQ(label_name("service.name"), "service_name");
  EXPECT_EQ(label_name("a..b--c"), "a_b_c");
  EXPECT_EQ(label_name("a__b"), "a_b");
  EXPECT_EQ(label_name("_private"), "_private");
  EXPECT_EQ(label_name("2xx"), "key_2xx");
  EXPECT_EQ(label_name("__real__"), "__real__");
  EXPECT_EQ(label_name("__a.b__"), "__a_b__");
  EXPECT_EQ(label_name("gr\xc3\xbc\xc3\x9f"), "gr_");
  for (const char* nameless : {"", ".", "____", "\xc3\xbc"})
    EXPECT_EQ(label_name(nameless), "key_") << nameless;
}

}  // namespace
}  // namespace spanway::logstreams
