#include "services/query/store/query_context.h"

namespace spanway::query {

Status ReadBudget::keep(std::size_t total) { return grow(memory, total, reading.bytes()); }

Status ReadBudget::reserve(std::size_t total) {
  reading.shrink_to(total);
  return grow(reading, total, memory.bytes());
}

Status ReadBudget::grow(Permit& permit, std::size_t total, std::size_t other) const {
  if (total > memory_max || other > memory_max - total)
    return data_error(Code::kResourceExhausted,
                      "the query needs more than " + std::to_string(memory_max) +
                          " bytes of memory; narrow it by time, or lower its limit")
        .with_reason("query_memory_limit");
  if (!permit.grow_to(total))
    return transient_error(Code::kResourceExhausted,
                           "the process has no memory left for the query; try again")
        .with_reason("no_memory");
  return {};
}

bool reached_bound(const Error& error) noexcept {
  return error.code == Code::kDeadlineExceeded ||
         (error.code == Code::kResourceExhausted && error.refusal == Refusal::kData);
}

}  // namespace spanway::query
