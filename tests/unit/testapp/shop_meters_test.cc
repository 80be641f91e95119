#include "services/testapp/shop_meters.h"

#include <gtest/gtest.h>

namespace spanway::testapp {
namespace {

Span lasting(UnixNanos nanos) {
  Span span;
  span.start = 1000;
  span.end = 1000 + nanos;
  span.span_id.bytes[0] = 1;
  return span;
}

TEST(ShopMeters, AddsUpDurationsInBuckets) {
  ShopMeters meters(10);
  meters.observe(ServiceName::kCart, "http.server.request.duration", lasting(5'000'000), {});
  meters.observe(ServiceName::kCart, "http.server.request.duration", lasting(6'000'000), {});
  meters.observe(ServiceName::kCart, "http.server.request.duration", lasting(60'000'000'000), {});
  const auto metrics = meters.collect(ServiceName::kCart, 99);
  ASSERT_EQ(metrics.size(), 1u);
  const Point& point = metrics[0].points.at(0);
  EXPECT_EQ(point.start, 10u);
  EXPECT_EQ(point.time, 99u);
  EXPECT_EQ(point.count, 3u);
  EXPECT_DOUBLE_EQ(point.value, 60.011);
  ASSERT_EQ(point.bucket_counts.size(), metrics[0].bounds.size() + 1);
  EXPECT_EQ(point.bucket_counts.front(), 1u);  // 5 ms is in the bucket up to 5 ms.
  EXPECT_EQ(point.bucket_counts[1], 1u);
  EXPECT_EQ(point.bucket_counts.back(), 1u);
  ASSERT_EQ(point.exemplars.size(), 1u);
  EXPECT_DOUBLE_EQ(point.exemplars[0].value, 60);
}

TEST(ShopMeters, KeepsServicesAndAttributesApart) {
  ShopMeters meters(10);
  meters.count(ServiceName::kCheckout, "shop.orders", {{"shop.order.outcome", "placed"}});
  meters.count(ServiceName::kCheckout, "shop.orders", {{"shop.order.outcome", "placed"}});
  meters.count(ServiceName::kCheckout, "shop.orders", {{"shop.order.outcome", "failed"}});
  meters.set(ServiceName::kInventory, "shop.stock", 7, {});
  meters.set(ServiceName::kInventory, "shop.stock", 6, {});
  const auto orders = meters.collect(ServiceName::kCheckout, 99);
  ASSERT_EQ(orders.size(), 1u);
  ASSERT_EQ(orders[0].points.size(), 2u);
  EXPECT_EQ(orders[0].points[0].value + orders[0].points[1].value, 3);
  const auto stock = meters.collect(ServiceName::kInventory, 99);
  ASSERT_EQ(stock.size(), 1u);
  EXPECT_EQ(stock[0].points.at(0).value, 6);
  EXPECT_EQ(stock[0].points.at(0).start, 0u);
  EXPECT_TRUE(meters.collect(ServiceName::kEmail, 99).empty());
}

}  // namespace
}  // namespace spanway::testapp
