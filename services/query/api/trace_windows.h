// The spans of one trace in pieces of bounded size.
#pragma once

#include <cstdint>
#include <optional>

#include "services/lib/block/block.h"
#include "services/lib/otlp_blocks/resource_reader.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

// Pulled by one query worker; the store and the context outlive it.
class TraceWindows {
 public:
  static constexpr std::size_t kWindowBytes = 4u << 20;

  TraceWindows(TraceStore& store, BlockStreamPtr spans, QueryContext& context)
      : store_(store), spans_(std::move(spans)), context_(context) {}

  // The next spans, whose resources are in resources() from then on; nothing at the end. Small
  // blocks are joined, so that spans of one resource are adjacent.
  Result<std::optional<block::Block>> next();
  const otlp_blocks::ResourceReader& resources() const noexcept { return resources_; }

 private:
  Status read_resources(const block::Block& spans);

  TraceStore& store_;
  const BlockStreamPtr spans_;
  QueryContext& context_;
  otlp_blocks::ResourceReader resources_;
  std::optional<block::Block> ahead_;  // Did not fit into the last window.
  bool ended_ = false;
};

}  // namespace spanway::query
