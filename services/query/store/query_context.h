// The surroundings of one query: whose it is, what it may take, and what it has taken.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/query/store/cancel_token.h"

namespace spanway::query {

// Unix nanoseconds, [begin, end).
struct TimeRange {
  std::int64_t begin = 0;
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  bool contains(std::int64_t time) const noexcept { return time >= begin && time < end; }
  bool operator==(const TimeRange&) const = default;
};

struct Cost {
  std::uint64_t rows_read = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t blocks = 0;
  std::uint64_t statements = 0;
  Duration waited = {};         // For answers of the store; by stores with a server.
  std::string_view index = {};  // Where a search has begun: a literal, empty = unknown.
};

// The range that was requested, and the part that was searched.
struct Coverage {
  TimeRange requested;
  TimeRange searched;
  bool complete = true;
  std::string why;  // For people, when it is not complete.
};

// Bounds of one query. Passing one is RESOURCE_EXHAUSTED with the limit and how to narrow.
struct ReadBudget {
  std::uint64_t rows_max = 200'000'000;
  std::uint64_t bytes_max = 20'000'000'000;
  std::uint64_t store_memory_max = 1u << 30;
  std::uint64_t spans_max = 1'000'000;  // For one answer.
  // Grown before a block is kept; of the process's budget.
  Permit memory = {};
  // For what a store holds while it reads; of the same budget.
  Permit reading = {};
  std::size_t memory_max = 256u << 20;  // Both permits together.

  // Grows `memory` to `total` bytes.
  Status keep(std::size_t total);
  // `reading` becomes `total` bytes.
  Status reserve(std::size_t total);

 private:
  Status grow(Permit& permit, std::size_t total, std::size_t other) const;
};

// One query's; external lock. The tenant is a value in every statement, never a part of its text.
struct QueryContext {
  std::string tenant;
  Deadline deadline = Deadline::never();
  // The end of the query's time, for what a search has found: to be read and written. A search ends
  // so much earlier, with a part of the answer.
  Duration details_time = {};
  const Clock* clock = nullptr;  // Measures what the store takes; null = nothing is measured.
  // A quarter of the time until the deadline becomes details_time.
  void begin(const Clock& own) {
    clock = &own;
    details_time = deadline.remaining(own.now()) / 4;
  }
  ReadBudget budget = {};
  CancelToken cancel = {};
  Cost cost = {};
  Coverage coverage = {};
};

// The query has reached a bound: its time, or what it may read or hold. A list then ends early, and
// its coverage says so, where it has got anywhere.
bool reached_bound(const Error& error) noexcept;

}  // namespace spanway::query
