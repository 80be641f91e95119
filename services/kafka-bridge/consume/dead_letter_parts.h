// Cutting a dead letter that is larger than its topic's records. Pure functions; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

using RecordHeaders = std::vector<std::pair<std::string, std::string>>;

// Names all parts of one letter: the same bytes of the same origin have the same name, also when
// they are written again after a restart, so that a reader can drop repetitions.
std::string letter_id(std::string_view origin, std::string_view payload);

// "0-921599/3145728": first and last byte of the part, and bytes of the payload.
std::string part_range(std::size_t begin, std::size_t end, std::size_t total);

// Bytes of a record batch with this one record, besides its payload; never too few.
std::size_t record_overhead(const RecordHeaders& headers) noexcept;

// The letter in parts that are complete OTLP requests. Nothing when that cannot be: it is no OTLP,
// it holds one item only, its resource would be repeated too often, or `permit` cannot grow to what
// dividing needs. A part with a single item that is larger than `part_bytes_max` stays as it is.
// The permit then covers the parts.
std::vector<Bytes> divide_between_items(otlp::Signal signal, std::string_view payload,
                                        std::size_t part_bytes_max, Permit& permit);

}  // namespace spanway::kafka_bridge
