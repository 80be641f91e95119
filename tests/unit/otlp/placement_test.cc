#include "services/lib/otlp/placement.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::otlp {
namespace {

// The vectors of Kafka's own UtilsTest.testMurmur2.
TEST(Murmur2, EqualsTheJavaClientsVectors) {
  const auto hash = [](std::string_view text) { return static_cast<std::int32_t>(murmur2(text)); };
  EXPECT_EQ(hash("21"), -973932308);
  EXPECT_EQ(hash("foobar"), -790332482);
  EXPECT_EQ(hash("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(hash("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(hash("abc"), 479470107);
}

TEST(TraceId, IsWrittenAsLowerCaseHex) {
  const std::string id("\x00\x01\x09\x0a\x0f\x10\x99\x9a\xa0\xaf\xf0\xfa\xff\x7f\x80\xde", 16);
  std::string hex(kTraceIdHexChars, '?');
  write_trace_id_hex(id.data(), hex.data());
  EXPECT_EQ(hex, "0001090a0f10999aa0aff0faff7f80de");
}

TEST(TracePlacement, HashesTheHexDigitsAndDropsTheSign) {
  const std::string id("\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36", 16);
  EXPECT_EQ(trace_placement_hash(id), murmur2("4bf92f3577b34da6a3ce929d0e0e4736") & 0x7fffffff);
}

TEST(TracePlacement, PartitionIsTheRemainder) {
  EXPECT_EQ(partition_of(0x7fffffff, 1), 0);
  EXPECT_EQ(partition_of(17, 12), 5);
  EXPECT_EQ(partition_of(0x7ffffffe, 0x7fffffff), 0x7ffffffe);
}

}  // namespace
}  // namespace spanway::otlp
