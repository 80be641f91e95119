#include "services/lib/auth/keyed_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::auth {
namespace {

// From the appendix of "SipHash: a fast short-input PRF" and the authors' vectors: key 00 01 .. 0f,
// inputs of 0, 1, 8 and 15 bytes 00 01 02 ...
TEST(SipHash, GivesThePublishedResults) {
  constexpr std::uint64_t kKey0 = 0x0706050403020100ULL;
  constexpr std::uint64_t kKey1 = 0x0f0e0d0c0b0a0908ULL;
  std::string text;
  for (char c = 0; c < 15; ++c) text.push_back(c);
  EXPECT_EQ(siphash(kKey0, kKey1, ""), 0x726fdb47dd0e0e31ULL);
  EXPECT_EQ(siphash(kKey0, kKey1, text.substr(0, 1)), 0x74f839c593dc67fdULL);
  EXPECT_EQ(siphash(kKey0, kKey1, text.substr(0, 8)), 0x93f5f5799a932462ULL);
  EXPECT_EQ(siphash(kKey0, kKey1, text), 0xa129ca6149be45e5ULL);
}

TEST(KeyedHash, DependsOnTheKeyAndTheText) {
  Random random(1);
  const KeyedHash a(KeyedHash::make_key(random));
  const KeyedHash b(KeyedHash::make_key(random));
  EXPECT_EQ(a("token"), a("token"));
  EXPECT_NE(a("token"), a("tokem"));
  EXPECT_NE(a("token"), b("token"));
}

TEST(EqualInConstantTime, ComparesEveryByte) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_in_constant_time("secret", "Secret"));
  EXPECT_FALSE(equal_in_constant_time("secret", "secreT"));
  EXPECT_FALSE(equal_in_constant_time("secret", "secret "));
  EXPECT_FALSE(equal_in_constant_time(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

}  // namespace
}  // namespace spanway::auth
