#include "services/kafka-bridge/consume/batch_plan.h"

#include <charconv>

namespace spanway::kafka_bridge {
namespace {

constexpr std::string_view kPrefix = "spanway1:";

}  // namespace

std::string encode_batch_plan(const std::vector<std::int64_t>& ends) {
  if (ends.empty()) return "";
  std::string text(kPrefix);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(ends[i]);
  }
  return text;
}

std::optional<std::vector<std::int64_t>> parse_batch_plan(std::string_view metadata,
                                                          std::int64_t offset) {
  if (metadata.empty()) return std::vector<std::int64_t>();
  if (!metadata.starts_with(kPrefix)) return std::nullopt;
  metadata.remove_prefix(kPrefix.size());
  std::vector<std::int64_t> ends;
  std::int64_t previous = offset - 1;
  const char* p = metadata.data();
  const char* const end = p + metadata.size();
  while (true) {
    std::int64_t value = 0;
    const auto [next, error] = std::from_chars(p, end, value);
    if (error != std::errc() || value <= previous || ends.size() == kPlannedRangesMax) {
      return std::nullopt;
    }
    ends.push_back(previous = value);
    if (next == end) return ends;
    if (*next != ',') return std::nullopt;
    p = next + 1;
  }
}

std::string batch_identity(std::string_view topic, std::int32_t partition, std::int64_t first,
                           std::int64_t last, std::string_view tenant) {
  std::string id(topic);
  id += ':';
  id += std::to_string(partition);
  id += ':';
  id += std::to_string(first);
  id += '-';
  id += std::to_string(last);
  if (!tenant.empty()) {
    id += ':';
    id += tenant;
  }
  return id;
}

}  // namespace spanway::kafka_bridge
