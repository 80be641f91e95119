// The threads that do network I/O. Each is one event loop; a connection lives on one of them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/executor.h"

namespace spanway::http {

// Thread-safe after construction. Servers and clients that use the pool are destroyed before it.
class IoPool {
 public:
  // `threads` >= 1. Threads are named "<name>-<n>".
  IoPool(std::string name, std::size_t threads, const Clock& clock = system_clock());
  ~IoPool();
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  std::size_t size() const noexcept;
  // Timers and functions on io thread `index` (modulo size). Valid as long as the pool.
  Executor& executor(std::size_t index) noexcept;
  // Stops the threads; idempotent.
  void stop();

  // For this module only: the Asio contexts.
  struct Impl;
  Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanway::http
