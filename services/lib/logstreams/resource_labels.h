// The labels of a resource's stream, and the rest of its attributes as structured metadata.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/otlp/reader.h"

namespace spanway::logstreams {

using NameAndValue = std::pair<std::string, std::string>;

// Limits of Loki's defaults, which a stream must keep, or all its entries are refused.
inline constexpr std::size_t kLabelsMax = 15;
inline constexpr std::size_t kLabelValueBytesMax = 256;
inline constexpr std::size_t kLabelNameBytesMax = 1024;

struct ResourceLabels {
  std::map<std::string, std::string> labels;
  std::vector<NameAndValue> metadata;  // In the order of the attributes.
};

// `keys` are the attributes that become labels, as far as the limits above allow; what they do not
// allow is metadata. A list becomes one entry for each of its entries. Without a service.name,
// service_name is the first label that Loki would take for it, else "unknown_service".
ResourceLabels resource_labels(const otlp::ResourceView& resource,
                               const std::vector<std::string>& keys);

// Appends `key` = `value`, or an entry for each leaf of a list: "a" = {b: 1} is "a_b" = "1".
void append_flat(std::string_view key, const otlp::ValueView& value,
                 std::vector<NameAndValue>& out);

// "{a=\"b\", c=\"d\"}", with Go's escapes.
std::string label_text(const std::map<std::string, std::string>& labels);

}  // namespace spanway::logstreams
