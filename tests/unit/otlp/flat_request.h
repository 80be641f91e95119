// An Export request taken apart by the plainest code possible, to verify the scan and the split:
// every item (every data point of a metric) beside what it belongs to.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

// The fields of a message with a sound framing: tag and whole field. Asserts when it is broken.
std::vector<std::pair<unsigned, std::string>> fields_of(std::string_view message);
// The content of a length-delimited field.
std::string content_of(std::string_view field);

// One string per item: resource fields, scope fields, and the item (of a metric: its own fields,
// the data's own fields and one point). In the order of the request.
std::vector<std::string> flatten(Signal signal, std::string_view request);
// Without order: what split parts must add up to.
std::vector<std::string> flatten_sorted(Signal signal, std::string_view request);

}  // namespace spanway::otlp
