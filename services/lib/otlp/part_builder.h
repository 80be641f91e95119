// Assembles one Export request out of items of a scanned one. Internal to otlp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/otlp/metric_layout.h"
#include "services/lib/otlp/scan.h"

namespace spanway::otlp {

// Collects items, knowing the exact size of the result at every moment; the bytes are written once,
// into a buffer of that size. Reusable: take() starts the next part. Single-thread; index and
// payload outlive it.
class PartBuilder {
 public:
  PartBuilder(const Index& index, std::string_view payload);

  static constexpr std::size_t kUnlimited = ~std::size_t{0};
  // Items come in ascending order. False, and nothing changed, when the part would become larger
  // than `bytes_max`.
  bool add(std::uint32_t item, std::size_t bytes_max);

  bool empty() const noexcept { return runs_.empty(); }
  std::size_t size() const noexcept { return size_; }
  // Spans, data points or log records added.
  std::uint64_t item_count() const noexcept { return item_count_; }
  std::uint32_t first_item() const noexcept { return first_item_; }

  Bytes take();
  // As take(), without writing: what the next take() would have been.
  void drop();

  // The size of, and a part of, some consecutive points of one metric.
  std::size_t metric_piece_bytes(const Item& item, const MetricLayout& layout,
                                 std::size_t points_bytes) const noexcept;
  Bytes metric_piece(const Item& item, const MetricLayout& layout,
                     std::span<const Slice> points) const;

 private:
  // Items of one scope; [slice_begin, slice_end) of item_slices_, `bytes` in all.
  struct Run {
    std::uint32_t scope = 0;
    std::uint32_t slice_begin = 0, slice_end = 0;
    std::size_t bytes = 0;
  };
  // Sizes while a part grows. Closed parts are complete, with tag and length.
  struct Sizes {
    std::size_t part_closed = 0;
    std::size_t resource_closed = 0;  // Body of the open resource, without the open scope.
    std::size_t scope_open = 0;       // Body of the open scope.
    std::size_t total() const noexcept;
  };
  Sizes sizes_with(const Item& item) const noexcept;
  void append(const Item& item);
  std::size_t resource_body(std::size_t first_run) const noexcept;
  char* put(char* out, const Slice& slice) const noexcept;
  char* put(char* out, std::span<const Slice> slices) const noexcept;
  std::span<const Slice> resource_prefix(std::uint32_t resource) const noexcept;
  std::span<const Slice> scope_prefix(std::uint32_t scope) const noexcept;

  const Index& index_;
  std::string_view payload_;
  std::vector<Run> runs_;
  std::vector<Slice> item_slices_;
  Sizes sizes_;
  std::size_t size_ = 0;
  std::uint64_t item_count_ = 0;
  std::uint32_t first_item_ = 0;
  // Fields of the request itself: once, in the first part with room.
  std::size_t request_bytes_ = 0;
  bool request_pending_ = false;
  bool request_in_part_ = false;
};

}  // namespace spanway::otlp
