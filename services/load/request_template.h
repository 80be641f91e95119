// Export requests that are serialized once and numbered anew, in place, for every send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/random.h"
#include "services/lib/otlp/signal.h"

namespace spanway::load {

struct TemplateOptions {
  std::size_t items = 512;
  // Encoded size of a span, a log record or a data point with its tag and length, to within 2
  // bytes; smaller than the least possible (about 150) = the least possible.
  std::size_t item_bytes = 770;
  std::size_t spans_per_trace = 16;
  // Which of the services "load-0" to "load-7" the resource is.
  std::size_t service = 0;
};

// Immutable, thread-safe.
class RequestTemplate {
 public:
  // Contents are drawn from `random`: attributes of a web service, part of them hard to compress.
  RequestTemplate(otlp::Signal signal, const TemplateOptions& options, Random& random);

  otlp::Signal signal() const noexcept { return signal_; }
  std::size_t items() const noexcept { return items_.size(); }
  std::size_t size() const noexcept { return bytes_.size(); }

  // The request with the items `first` to `first + items() - 1` of the run; see item_id.h.
  Bytes stamp(std::uint64_t run, std::uint64_t first, std::uint64_t due_unix_nano) const;

  // Positions of an item's fields that are written anew; 0 = it has none.
  struct Places {
    std::uint32_t trace_id = 0;
    std::uint32_t span_id = 0;
    std::uint32_t parent_id = 0;
    std::uint32_t start = 0;
    std::uint32_t end = 0;
    std::uint32_t id_text = 0;
    std::uint32_t trace_item = 0;   // Index of the item that gives the trace its number.
    std::uint32_t parent_item = 0;  // Index of the item that `parent_id` names.
    std::uint32_t duration_ns = 0;  // From `start` to `end`.
  };

 private:
  const otlp::Signal signal_;
  Bytes bytes_;
  std::vector<Places> items_;
};

}  // namespace spanway::load
