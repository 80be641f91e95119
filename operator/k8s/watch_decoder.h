// Decodes the bytes of a watch into events: one JSON document a line, in chunks of any size.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "operator/k8s/kube_client.h"

namespace spanway::kube {

// External lock. Keeps at most one unfinished line. Takes nothing after an error.
class WatchDecoder {
 public:
  static constexpr std::size_t kLineBytesMax = 8u << 20;
  enum class Next { kMore, kStop };

  // `what` is the verb and the path, for error messages.
  explicit WatchDecoder(std::string what, std::size_t line_bytes_max = kLineBytesMax);

  // Calls `on_event` for each line that `bytes` ends; false from it stops (kStop, the rest is
  // dropped). Fails with the error of an ERROR event, and with INVALID_ARGUMENT when a line is no
  // watch event, with RESOURCE_EXHAUSTED when it is longer than the bound. Unknown
  // types are skipped: a later server may have more.
  Result<Next> feed(std::string_view bytes, const std::function<bool(WatchEvent)>& on_event);
  // The stream has ended: UNAVAILABLE when its last line is incomplete.
  Status finish() const;
  std::size_t buffered() const noexcept { return line_.size(); }

 private:
  Result<Next> line_done(std::string_view line, const std::function<bool(WatchEvent)>& on_event);

  const std::string what_;
  const std::size_t line_bytes_max_;
  std::string line_;
  bool ended_ = false;
};

}  // namespace spanway::kube
