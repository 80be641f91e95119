#include "services/lib/base/hex.h"

#include <gtest/gtest.h>

namespace spanway {
namespace {

TEST(Hex, WritesBytesAndNumbers) {
  using namespace std::string_view_literals;
  EXPECT_EQ(to_hex("\x00\x1f\xff"sv), "001fff");
  EXPECT_EQ(to_hex(""sv), "");
  EXPECT_EQ(to_hex(std::uint64_t{0}), "0000000000000000");
  EXPECT_EQ(to_hex(std::uint64_t{0x0123456789abcdef}), "0123456789abcdef");
}

TEST(Hex, ReadsDigitsOfEitherCase) {
  for (int value = 0; value < 16; ++value) {
    EXPECT_EQ(hex_value(kHexDigits[static_cast<std::size_t>(value)]), value);
    EXPECT_EQ(hex_value(kUpperHexDigits[static_cast<std::size_t>(value)]), value);
  }
  for (const char c : {'g', 'G', '/', ':', '@', '`', '\0', '\xff'}) EXPECT_EQ(hex_value(c), -1);
}

}  // namespace
}  // namespace spanway
