// The services of one process, started and stopped in the right order.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/runtime/service.h"

namespace spanway::runtime {

// Itself a Service, made of others. add() and the life cycle belong to one thread; readiness(),
// status() and begin_shutdown() are thread-safe.
class Host final : public Service {
 public:
  explicit Host(telemetry::Telemetry telemetry) : telemetry_(telemetry) {}
  ~Host() override;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Before start(). Sinks first, sources last: this is the order of starting, and the reverse of
  // the order of stopping and destruction.
  void add(std::string name, std::unique_ptr<Service> service);

  // When one fails, those that were started are stopped again.
  Status start() override;
  // From here on readiness() is false, whatever the services say.
  void begin_shutdown();
  // Stops the service added last: the one where work comes in. Those behind it still have to finish
  // what it took, and are stopped one after the other by drain().
  void stop_accepting() override;
  bool drain(Deadline deadline) override;

  Readiness readiness() const override;
  // The service's own when there is one; one for each, by name, when there are several.
  Statusz status() const override;
  void shed_load() override;
  // The first that is not OK.
  Status fatal() const override;

 private:
  struct Entry {
    std::string name;
    std::unique_ptr<Service> service;
  };
  enum class State { kStarting, kRunning, kStopping };

  // Services are never removed before the destructor, so the pointers stay valid without the lock.
  std::vector<std::pair<std::string, Service*>> entries() const;
  bool stop_from(std::size_t count, Deadline deadline);

  const telemetry::Telemetry telemetry_;
  mutable Mutex mutex_;
  std::vector<Entry> entries_ SPANWAY_GUARDED_BY(mutex_);
  State state_ SPANWAY_GUARDED_BY(mutex_) = State::kStarting;
};

}  // namespace spanway::runtime
