// Calls between services, span by span.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// External lock. Memory grows with the number of spans, whose ids are kept.
class DependencyCounter {
 public:
  void add(const otlp_blocks::StoredSpan& stored);
  std::size_t memory_bytes() const noexcept;
  // By names.
  std::vector<Dependency> take();

 private:
  struct Child {
    std::string parent;  // Trace id and span id.
    std::uint32_t service = 0;
    bool is_error = false;
  };
  std::uint32_t number_of(std::string_view service);

  std::map<std::string, std::uint32_t, std::less<>> services_;
  std::unordered_map<std::string, std::uint32_t> service_of_;  // By trace id and span id.
  std::vector<Child> children_;
};

}  // namespace spanway::query
