// The hash of a label set that Prometheus computes, for what chooses series by it.
#pragma once

#include <cstdint>
#include <string_view>

#include "services/query/labels/label_matcher.h"

namespace spanway::query::promql {

// XXH64 with seed 0.
std::uint64_t xxh64(std::string_view bytes) noexcept;

// A hash of labels ascending by name: names and values, each behind its length.
std::uint64_t label_hash(const Labels& labels);

}  // namespace spanway::query::promql
