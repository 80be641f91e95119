// The threads that run queries, and the queue in front of them.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "services/lib/base/mutex.h"

namespace spanway::query {

// Thread-safe. Tenants take turns: a tenant with many queries delays its own only. Destruction
// waits for what runs and drops what is queued.
class QueryWorkers {
 public:
  using Query = std::function<void()>;
  QueryWorkers(std::size_t threads, std::size_t queued_max);
  ~QueryWorkers();
  QueryWorkers(const QueryWorkers&) = delete;
  QueryWorkers& operator=(const QueryWorkers&) = delete;

  // False when `queued_max` queries wait and no thread is free; `query` is untouched then.
  [[nodiscard]] bool submit(const std::string& tenant, Query& query);
  std::size_t queued() const;

 private:
  void run(const std::stop_token& stop);

  const std::size_t queued_max_;
  mutable Mutex mutex_;
  CondVar changed_;
  // A tenant is in `turns_` as long as it has queries; each once.
  std::map<std::string, std::deque<Query>> by_tenant_ SPANWAY_GUARDED_BY(mutex_);
  std::deque<std::string> turns_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t queued_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t idle_ SPANWAY_GUARDED_BY(mutex_) = 0;
  bool stopping_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;
};

}  // namespace spanway::query
