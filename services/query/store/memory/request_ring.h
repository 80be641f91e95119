// The requests that a store in memory keeps. For the stores of this folder only.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::query {

// `Entry` has `tenant` and `bytes`, and is immutable once it is in the ring. Not thread-safe: the
// store's mutex guards it. Holds at most `bytes_max` for all tenants together; the oldest entries
// are dropped first.
template <class Entry>
class RequestRing {
 public:
  using Entries = std::vector<std::shared_ptr<const Entry>>;

  explicit RequestRing(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // RESOURCE_EXHAUSTED, data, for an entry that is larger than the ring.
  Status push(std::shared_ptr<const Entry> entry) {
    if (entry->bytes > bytes_max_)
      return data_error(Code::kResourceExhausted, "a request is larger than the memory store")
          .with_reason("request_too_large");
    bytes_ += entry->bytes;
    entries_.push_back(std::move(entry));
    while (bytes_ > bytes_max_) {
      bytes_ -= entries_.front()->bytes;
      entries_.pop_front();
    }
    return {};
  }

  std::size_t bytes() const { return bytes_; }

  // By name.
  std::set<std::string> tenants() const {
    std::set<std::string> names;
    for (const auto& entry : entries_) names.insert(entry->tenant);
    return names;
  }
  // Oldest first.
  Entries of_tenant(const std::string& tenant) const {
    Entries entries;
    for (const auto& entry : entries_)
      if (entry->tenant == tenant) entries.push_back(entry);
    return entries;
  }

 private:
  const std::size_t bytes_max_;
  std::deque<std::shared_ptr<const Entry>> entries_;
  std::size_t bytes_ = 0;
};

}  // namespace spanway::query
