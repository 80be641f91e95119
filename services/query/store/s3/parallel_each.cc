#include "services/query/store/s3/parallel_each.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/base/thread.h"

namespace spanway::query {

Status parallel_each(std::size_t count, std::size_t threads,
                     const std::function<Status(std::size_t)>& visit) {
  Mutex mutex;
  Status first;
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> has_failed = false;
  const auto run = [&] {
    while (!has_failed) {
      const std::size_t i = next++;
      if (i >= count) return;
      Status status = visit(i);
      if (status.ok() || has_failed.exchange(true)) continue;
      MutexLock lock(mutex);
      first = std::move(status);
    }
  };
  threads = std::min(threads, count);
  if (threads <= 1) {
    run();
    return first;
  }
  {
    std::vector<std::jthread> running;
    for (std::size_t i = 0; i < threads; ++i)
      running.push_back(start_thread("query-s3", [&](const std::stop_token&) { run(); }));
  }
  return first;
}

}  // namespace spanway::query
