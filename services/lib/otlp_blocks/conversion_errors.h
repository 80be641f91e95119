// Errors of a conversion, and the one bound on its days. Internal to otlp_blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::otlp_blocks {

// INVALID_ARGUMENT, data.
Error cannot_store(std::string_view what);
// RESOURCE_EXHAUSTED, transient.
Error no_memory_to_convert();
// RESOURCE_EXHAUSTED, unknown, so that the sender halves.
Error too_many_days();

// Items of more days are refused.
inline constexpr std::size_t kDaysOfRequestMax = 32;

// The rows of a day, made when it is new.
template <typename Rows>
Result<Rows*> rows_of(std::map<std::int32_t, Rows>& by_day, std::int32_t day) {
  const auto found = by_day.find(day);
  if (found != by_day.end()) return &found->second;
  if (by_day.size() == kDaysOfRequestMax) return too_many_days();
  return &by_day.try_emplace(day, day).first->second;
}

}  // namespace spanway::otlp_blocks
