#include "services/lib/prometheus_write/request_halves.h"

#include <gtest/gtest.h>

#include "tests/fakes/otlp_builder.h"

namespace spanway::prometheus_write {
namespace {

using fakes::ProtoMessage;

ProtoMessage series(std::string_view name) {
  return ProtoMessage().message(1, ProtoMessage().bytes(1, "__name__").bytes(2, name));
}

TEST(RequestHalves, KeepTheEntriesInTheirOrder) {
  const ProtoMessage metadata = ProtoMessage().bytes(2, "family");
  const std::string body = ProtoMessage()
                               .message(3, metadata)
                               .message(1, series("a"))
                               .message(1, series("b"))
                               .message(1, series("c"))
                               .encode();
  const auto halves = halves_of(body);
  ASSERT_TRUE(halves.ok());
  EXPECT_EQ((*halves)[0].view(),
            ProtoMessage().message(3, metadata).message(1, series("a")).encode());
  EXPECT_EQ((*halves)[1].view(),
            ProtoMessage().message(1, series("b")).message(1, series("c")).encode());
}

TEST(RequestHalves, OneEntryAndOtherBytesCannotBeDivided) {
  EXPECT_FALSE(halves_of(ProtoMessage().message(1, series("a")).encode()).ok());
  EXPECT_FALSE(halves_of("").ok());
  EXPECT_FALSE(halves_of("\x0a\x7f").ok());
}

}  // namespace
}  // namespace spanway::prometheus_write
