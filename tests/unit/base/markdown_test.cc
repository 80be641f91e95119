#include "services/lib/base/markdown.h"

#include <gtest/gtest.h>

namespace spanway {
namespace {

TEST(Markdown, ATextCannotLeaveItsCell) {
  EXPECT_EQ(markdown_cell("a | b\nc"), "a \\| b c");
  EXPECT_EQ(markdown_code("a"), "`a`");
  EXPECT_EQ(markdown_code(""), "");
}

}  // namespace
}  // namespace spanway
