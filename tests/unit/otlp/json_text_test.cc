#include "services/lib/otlp/json_text.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace spanway::otlp {
namespace {

std::optional<std::string> hex(std::string text) {
  std::size_t size = 0;
  if (!decode_hex(text, text.data(), size)) return std::nullopt;
  return text.substr(0, size);
}
TEST(JsonText, HexIsReadInEitherCaseAndInPlace) {
  EXPECT_EQ(hex("00fFaB9c"), std::string("\x00\xff\xab\x9c", 4));
  EXPECT_EQ(hex(""), "");
  for (const char* bad : {"0", "0g", "g0", "0x00", " 00", "00 "}) EXPECT_FALSE(hex(bad)) << bad;
}

TEST(JsonText, BytesAreWrittenAsTheyAreRead) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    std::string text;
    append_hex(bytes, text);
    EXPECT_EQ(hex(text), bytes);
    bytes += static_cast<char>(255 - i);
  }
}

TEST(JsonText, QuotingEscapesWhatJsonDemands) {
  std::string text;
  append_quoted(std::string("a\"b\\c\n\t\r\b\f\0\x1f\x7f/\xc3\xa9", 16), text);
  EXPECT_EQ(text, "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0000\\u001f\\u007f/\xc3\xa9\"");
}

}  // namespace
}  // namespace spanway::otlp
