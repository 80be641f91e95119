#include "services/lib/base/percent_encoding.h"

#include <gtest/gtest.h>

namespace spanway {
namespace {

TEST(PercentEncoding, KeepsUnreservedCharactersOnly) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("a/b?c=d&e%f g\xc3\xa4"), "a%2Fb%3Fc%3Dd%26e%25f%20g%C3%A4");
}

TEST(PercentEncoding, ASegmentStaysOneSegment) {
  EXPECT_EQ(percent_encode_segment("."), "%2E");
  EXPECT_EQ(percent_encode_segment(".."), "%2E%2E");
  EXPECT_EQ(percent_encode_segment("../x"), "..%2Fx");
}

TEST(PercentEncoding, DecodesOnce) {
  EXPECT_EQ(percent_decode("a%2Fb%2fc%2541"), "a/b/c%41");
  for (const char* broken : {"%", "%2", "%2g", "%g2", "a%"})
    EXPECT_EQ(percent_decode(broken), std::nullopt) << broken;
}

}  // namespace
}  // namespace spanway
