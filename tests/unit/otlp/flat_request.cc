#include "tests/unit/otlp/flat_request.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace spanway::otlp {
namespace {

std::uint64_t take_varint(std::string_view& in) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (in.empty() || shift > 63) {
      ADD_FAILURE() << "broken varint";
      return 0;
    }
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
}

// A message's fields but those of number `number`, one after the other; those go to `picked`.
std::string pick(std::string_view message, unsigned number, std::vector<std::string>& picked) {
  std::string others;
  for (const auto& [tag, field] : fields_of(message)) {
    if (tag == (number << 3 | 2)) {
      picked.push_back(content_of(field));
    } else {
      others += field;
    }
  }
  return others;
}

bool is_data(unsigned tag) {
  return tag == 0x2a || tag == 0x3a || tag == 0x4a || tag == 0x52 || tag == 0x5a;
}

void flatten_metric(const std::string& prefix, std::string_view metric,
                    std::vector<std::string>& out) {
  std::string own;
  std::string data_own;
  unsigned data_tag = 0;
  std::vector<std::string> points;
  for (const auto& [tag, field] : fields_of(metric)) {
    if (!is_data(tag)) {
      own += field;
      continue;
    }
    if (tag != data_tag) {  // The oneof changes: what was set before is gone.
      points.clear();
      data_own.clear();
      data_tag = tag;
    }
    data_own += pick(content_of(field), 1, points);
  }
  const std::string head =
      prefix + "|metric:" + own + "|data:" + std::to_string(data_tag) + data_own + "|point:";
  if (points.empty()) out.push_back(head);
  for (const std::string& point : points) out.push_back(head + point);
}

}  // namespace

std::vector<std::pair<unsigned, std::string>> fields_of(std::string_view message) {
  std::vector<std::pair<unsigned, std::string>> fields;
  while (!message.empty()) {
    const std::string_view begin = message;
    const auto tag = static_cast<unsigned>(take_varint(message));
    std::size_t skip = 0;
    switch (tag & 7) {
      case 0:
        take_varint(message);
        break;
      case 1:
        skip = 8;
        break;
      case 2:
        skip = take_varint(message);
        break;
      case 5:
        skip = 4;
        break;
      default:
        ADD_FAILURE() << "wire type " << (tag & 7);
        return fields;
    }
    if (skip > message.size()) {
      ADD_FAILURE() << "truncated field";
      return fields;
    }
    message.remove_prefix(skip);
    fields.emplace_back(tag, std::string(begin.substr(0, begin.size() - message.size())));
  }
  return fields;
}

std::string content_of(std::string_view field) {
  take_varint(field);
  const std::uint64_t size = take_varint(field);
  EXPECT_EQ(size, field.size());
  return std::string(field);
}

std::vector<std::string> flatten(Signal signal, std::string_view request) {
  std::vector<std::string> out;
  std::vector<std::string> resources;
  pick(request, 1, resources);
  for (const std::string& resource : resources) {
    std::vector<std::string> scopes;
    const std::string resource_own = pick(resource, 2, scopes);
    for (const std::string& scope : scopes) {
      std::vector<std::string> items;
      const std::string scope_own = pick(scope, 2, items);
      const std::string prefix = "resource:" + resource_own + "|scope:" + scope_own;
      for (const std::string& item : items) {
        if (signal == Signal::kMetrics) {
          flatten_metric(prefix, item, out);
        } else {
          out.push_back(prefix + "|item:" + item);
        }
      }
    }
  }
  return out;
}

std::vector<std::string> flatten_sorted(Signal signal, std::string_view request) {
  std::vector<std::string> out = flatten(signal, request);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace spanway::otlp
