#include "services/lib/base/base64.h"

#include <gtest/gtest.h>

namespace spanway {
namespace {

std::optional<std::string> lenient(std::string text) {
  std::size_t size = 0;
  if (!decode_base64_lenient(text, text.data(), size)) return std::nullopt;
  return text.substr(0, size);
}

// The examples of RFC 4648, section 10.
TEST(Base64, EncodesWithAndWithoutPadding) {
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_base64("f"), "Zg==");
  EXPECT_EQ(encode_base64("fo"), "Zm8=");
  EXPECT_EQ(encode_base64("foo"), "Zm9v");
  EXPECT_EQ(encode_base64("f", Base64Padding::kOmitted), "Zg");
  EXPECT_EQ(encode_base64("fo", Base64Padding::kOmitted), "Zm8");
  EXPECT_EQ(encode_base64("foob", Base64Padding::kOmitted), "Zm9vYg");
  EXPECT_EQ(encode_base64("\xff\xfe\xfd"), "//79");
}

TEST(Base64, DecodesTheStandardFormOnly) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("Zg=="), "f");
  EXPECT_EQ(decode_base64("Zm8="), "fo");
  EXPECT_EQ(decode_base64("YTpiYw=="), "a:bc");
  EXPECT_EQ(decode_base64("+/+/"), "\xfb\xff\xbf");
  EXPECT_EQ(decode_base64("/+8="), "\xff\xef");
  for (const char* bad : {"Z", "Zg", "Zg=", "Zg==Zg==", "=", "====", "Z===", "Zm9v!", "Zg=a", "YTp",
                          "YTp=i", "Y===", "YT pi", "-_-_", "Zm9v\n"})
    EXPECT_EQ(decode_base64(bad), std::nullopt) << bad;
}

TEST(Base64, DecodesLenientlyBothAlphabetsWithAndWithoutPadding) {
  EXPECT_EQ(lenient(""), "");
  EXPECT_EQ(lenient("Zg=="), "f");
  EXPECT_EQ(lenient("Zg"), "f");
  EXPECT_EQ(lenient("Zm8="), "fo");
  EXPECT_EQ(lenient("Zm8"), "fo");
  EXPECT_EQ(lenient("Zm9vYmFy"), "foobar");
  EXPECT_EQ(lenient("+/+/"), "\xfb\xff\xbf");
  EXPECT_EQ(lenient("-_-_"), "\xfb\xff\xbf");
  for (const char* bad :
       {"Z", "Zm9vY", "Zg=", "Zg===", "Z===", "=", "====", "Zm=v", "Zm 9v", "Zm9v\n"})
    EXPECT_FALSE(lenient(bad)) << bad;
}

TEST(Base64, DecodesWhatItEncodes) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    const std::string text = encode_base64(bytes);
    EXPECT_EQ(text.size(), base64_bytes(bytes.size()));
    EXPECT_EQ(decode_base64(text), bytes);
    EXPECT_EQ(lenient(encode_base64(bytes, Base64Padding::kOmitted)), bytes);
    bytes += static_cast<char>(255 - i);
  }
}

}  // namespace
}  // namespace spanway
