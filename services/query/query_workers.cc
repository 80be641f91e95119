#include "services/query/query_workers.h"

#include <utility>

#include "services/lib/base/thread.h"

namespace spanway::query {

QueryWorkers::QueryWorkers(std::size_t threads, std::size_t queued_max)
    : queued_max_(queued_max), idle_(threads) {
  for (std::size_t i = 0; i < threads; ++i)
    threads_.push_back(start_thread("query-" + std::to_string(i),
                                    [this](const std::stop_token& stop) { run(stop); }));
}

QueryWorkers::~QueryWorkers() {
  std::map<std::string, std::deque<Query>> dropped;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    dropped.swap(by_tenant_);
    turns_.clear();
    queued_ = 0;
  }
  changed_.notify_all();
  threads_.clear();
}

bool QueryWorkers::submit(const std::string& tenant, Query& query) {
  {
    MutexLock lock(mutex_);
    if (stopping_ || queued_ >= queued_max_ + idle_) return false;
    auto& own = by_tenant_[tenant];
    if (own.empty()) turns_.push_back(tenant);
    own.push_back(std::move(query));
    ++queued_;
  }
  changed_.notify_one();
  return true;
}

std::size_t QueryWorkers::queued() const {
  MutexLock lock(mutex_);
  return queued_;
}

void QueryWorkers::run(const std::stop_token&) {
  while (true) {
    Query query;
    {
      MutexLock lock(mutex_);
      changed_.wait(mutex_, [this]() SPANWAY_REQUIRES(mutex_) { return stopping_ || queued_ > 0; });
      if (stopping_) return;
      const std::string tenant = std::move(turns_.front());
      turns_.pop_front();
      auto& own = by_tenant_[tenant];
      query = std::move(own.front());
      own.pop_front();
      --queued_;
      --idle_;
      if (own.empty()) {
        by_tenant_.erase(tenant);
      } else {
        turns_.push_back(tenant);
      }
    }
    query();
    MutexLock lock(mutex_);
    ++idle_;
  }
}

}  // namespace spanway::query
