#include "services/lib/http/snappy.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::http {
namespace {

constexpr std::size_t kAny = 1u << 20;

std::string round_trip(std::string_view body) {
  const auto decoded = snappy_decode(snappy_encode(body).view(), kAny);
  return decoded.ok() ? std::string(decoded->view()) : decoded.error().message;
}

TEST(Snappy, RoundTrips) {
  EXPECT_EQ(round_trip(""), "");
  EXPECT_EQ(round_trip("abc"), "abc");
  const std::string repeated(100'000, 'x');
  EXPECT_EQ(round_trip(repeated), repeated);
  EXPECT_LT(snappy_encode(repeated).size(), repeated.size() / 10);
}

// format_description.txt: the length as a varint, then a literal of 3 bytes (tag (3 - 1) << 2).
TEST(Snappy, IsTheBlockFormat) {
  EXPECT_EQ(snappy_encode("abc").view(), std::string_view("\x03\x08"
                                                          "abc"));
}

TEST(Snappy, RefusesWhatIsNoBlockOrTooLarge) {
  EXPECT_EQ(snappy_decode("\xff\xff\xff\xff\xff\xff", kAny).error().refusal, Refusal::kData);
  EXPECT_EQ(snappy_decode("\x05\x08"
                          "abc",
                          kAny)
                .error()
                .refusal,
            Refusal::kData);
  EXPECT_EQ(snappy_decode(snappy_encode("abcd").view(), 3).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace spanway::http
