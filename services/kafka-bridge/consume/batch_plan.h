// The planned batch ranges of a partition, as the metadata of its offset commits holds them, and
// the names of batches that follow from them (effectively-once delivery).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spanway::kafka_bridge {

// Brokers refuse metadata above 4096 bytes: 20 digits and a comma per range stay well below.
inline constexpr std::size_t kPlannedRangesMax = 64;

// `ends`: the last offset of each range, increasing. "" when there are none.
std::string encode_batch_plan(const std::vector<std::int64_t>& ends);

// Nothing when it is not a plan, or does not continue from `offset`: then batches are planned anew.
std::optional<std::vector<std::int64_t>> parse_batch_plan(std::string_view metadata,
                                                          std::int64_t offset);

// "topic:partition:first-last[:tenant]".
std::string batch_identity(std::string_view topic, std::int32_t partition, std::int64_t first,
                           std::int64_t last, std::string_view tenant);

}  // namespace spanway::kafka_bridge
