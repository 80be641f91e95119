// Bytes by key, the most recently used ones. Internal to query/store/s3.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "services/lib/base/memory_budget.h"
#include "services/lib/base/mutex.h"

namespace spanway::query {

// Thread-safe. Holds at most `bytes_max` and no more than the permit grants; a value that finds no
// room is not kept.
class ByteCache {
 public:
  ByteCache(std::size_t bytes_max, Permit permit);

  // Null when the cache does not have it.
  std::shared_ptr<const std::string> find(std::string_view key);
  void put(std::string_view key, std::shared_ptr<const std::string> value);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const std::string> value;
    std::size_t bytes() const noexcept;
  };
  void drop_oldest() SPANWAY_REQUIRES(mutex_);

  const std::size_t bytes_max_;
  Mutex mutex_;
  Permit permit_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::list<Entry> entries_ SPANWAY_GUARDED_BY(mutex_);  // The most recently used first.
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_
      SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::query
