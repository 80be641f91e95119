// google.rpc.Status with the two details that we use, and partial_success: read and written by
// hand. What they mean is decided in status_map. Internal to otlp.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/otlp/status_map.h"

namespace spanway::otlp {

struct RpcStatus {
  int code = 0;
  std::string message;
  std::optional<std::chrono::milliseconds> retry_after;  // google.rpc.RetryInfo
  const char* reason = "";  // google.rpc.ErrorInfo of our domain; one of reasons.h when read.
};

Bytes write_protobuf(const RpcStatus& status);
Bytes write_json(const RpcStatus& status);
// False when `bytes` are none; `status` then has what was read before the fault. Empty bytes are an
// empty status.
bool read_protobuf(std::string_view bytes, RpcStatus& status);
bool read_json(std::string_view text, RpcStatus& status);

Bytes write_partial_success_json(Signal signal, std::uint64_t rejected, std::string_view message);
bool read_partial_success_json(Signal signal, std::string_view text, PartialSuccess& partial);
bool read_partial_success_protobuf(std::string_view bytes, PartialSuccess& partial);

}  // namespace spanway::otlp
