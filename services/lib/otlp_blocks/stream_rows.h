// Rows of log_streams: the label sets of the streams that a request's records belong to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/request_blocks.h"

namespace spanway::otlp_blocks {

// The labels of a resource's stream: the attributes that Loki takes as index labels by default,
// with '_' for each character that a label name cannot hold, by name. Without a service.name,
// service_name is "unknown_service", as there.
struct StreamLabels {
  std::vector<std::pair<std::string, std::string>> labels;
  std::uint64_t id = 0;
};
StreamLabels stream_labels(const otlp::ResourceView& resource);

class StreamRows {
 public:
  StreamRows(std::string_view tenant, const KnownRows* known);
  // A record of this stream at that time; the labels are copied for the first of a day.
  void seen(const StreamLabels& stream, std::int32_t day, std::uint32_t seconds);
  DictionaryBlock take();

 private:
  static constexpr std::size_t kNoRow = ~std::size_t{0};
  std::size_t add(const StreamLabels& stream, std::int32_t day);

  const std::string tenant_;
  const KnownRows* const known_;
  DictionaryBlock result_;
  std::map<std::pair<std::uint64_t, std::int32_t>, std::size_t> row_of_;
  std::vector<std::uint32_t> last_seen_;  // By row.
};

}  // namespace spanway::otlp_blocks
