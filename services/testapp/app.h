// Starts a purchase every few seconds and sends the telemetry of the shop's services.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "services/lib/base/executor.h"
#include "services/lib/base/random.h"
#include "services/lib/pipeline/sink.h"
#include "services/testapp/shop.h"
#include "services/testapp/telemetry_delivery.h"

namespace spanway::testapp {

struct AppOptions {
  Duration interval = std::chrono::seconds(2);
  std::uint64_t count = 0;  // Purchases; 0 = without end.
  DeliveryOptions delivery;
  // Purchases under way at once; while the pipeline is that far behind, no purchase begins.
  std::size_t pending_max = 16;
};

// Everything on `executor`, which is stopped before this is destroyed. One line per purchase:
//   trace 4bf92f3577b34da6a3ce929d0e0e4736 23 spans accepted, 31 data points accepted, ...
class App {
 public:
  using Print = std::function<void(const std::string& line)>;
  // `done` runs after the last answer, when there is a count. `sink` outlives the executor's last
  // function.
  App(AppOptions options, Shop shop, Random random, pipeline::Sink& sink, Executor& executor,
      Print print, std::function<void()> done);

  // Posts the first purchase.
  void start();
  // Purchases of which something was refused for good or given up. Thread-safe when `done` ran.
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  struct Pending;
  void buy_and_wait();
  void buy();
  void deliver(const std::shared_ptr<Pending>& pending, otlp::Signal signal,
               const std::vector<ServiceTelemetry>& services);
  void finish(const Pending& pending);

  const AppOptions options_;
  Shop shop_;
  Random random_;
  pipeline::Sink& sink_;
  Executor& executor_;
  const Print print_;
  const std::function<void()> done_;
  std::uint64_t bought_ = 0;
  std::uint64_t refused_ = 0;
  std::size_t pending_ = 0;
};

// "20 of 23 spans accepted (too old)" and so on.
std::string describe(otlp::Signal signal, std::uint64_t items, const Delivery::Report& report);

}  // namespace spanway::testapp
