// A small shop: a purchase produces the telemetry of six services.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/random.h"
#include "services/testapp/shop_meters.h"
#include "services/testapp/trace_recorder.h"

namespace spanway::testapp {

// A lasting cause of trouble, for people who practise finding it.
enum class ShopFault : std::uint8_t {
  kNone,
  kSlowDatabase,    // Each UPDATE takes most of a second.
  kFailingPayment,  // The payment gateway refuses half of the charges.
  kNPlusOne,        // The cart reads its items one by one.
  kDeadConsumer,    // No consumer reads the orders.
};

// Everything one purchase has left behind.
struct Purchase {
  TraceId trace_id;
  bool failed = false;
  std::vector<ServiceTelemetry> services;
};

// External lock. Deterministic under a seed and a clock. The clock outlives it.
//
//   frontend  POST /checkout
//     cart        GET /cart/{user}      -> Redis
//     checkout    POST /orders
//       inventory   Reserve             -> PostgreSQL, per product
//       payment     Charge
//       publish to the topic "orders"   (Kafka)
//   email     process "orders", later   -> SMTP
class Shop {
 public:
  // `error_ratio` in [0, 1]: how many purchases fail.
  Shop(Random random, double error_ratio, const Clock& clock, ShopFault fault = ShopFault::kNone);
  // All times lie in the past of the clock.
  Purchase buy();

 private:
  enum class Fault : std::uint8_t { kNone, kCardDeclined, kDatabaseTimeout };
  using Handle = TraceRecorder::Handle;
  struct Visit;  // One purchase while it happens.

  Fault choose_fault();
  void visit_frontend(Visit& visit);
  void read_cart(Visit& visit, Handle parent);
  void read_items(Visit& visit, Handle parent);
  bool place_order(Visit& visit, Handle parent);
  bool reserve(Visit& visit, Handle parent, std::size_t product, bool time_out);
  bool charge(Visit& visit, Handle parent, bool decline);
  bool gateway_refuses();
  Handle publish(Visit& visit, Handle parent);
  void send_email(Visit& visit, Handle published);
  void measure(Visit& visit);
  Attributes resource_of(ServiceName service) const;

  Random random_;
  const double error_ratio_;
  const ShopFault fault_;
  const Clock& clock_;
  ShopMeters meters_;
  std::vector<std::int64_t> stock_;
  std::string instance_;
  std::int64_t orders_ = 0;
};

}  // namespace spanway::testapp
