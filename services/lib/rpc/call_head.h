// The headers of a gRPC call: whether it is one, and what it asks for. Internal to this module.
#pragma once

#include <cstdint>
#include <optional>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/http/message.h"
#include "services/lib/rpc/grpc_wire.h"

namespace spanway::rpc {

// The HTTP answer to a request that is not gRPC; nothing when it is. `http_port` is named to
// clients of OTLP/HTTP; 0 = that is not served.
std::optional<http::Response> check_transport(const http::RequestHead& head, ContentType type,
                                              std::uint16_t http_port);

struct CallHead {
  Duration timeout;
  http::ContentCoding coding = http::ContentCoding::kIdentity;
};
// The timeout is at most `deadline_max`.
Result<CallHead> read_head(const http::RequestHead& head, ContentType type, Duration deadline_max);

// DEADLINE_EXCEEDED: the request had not arrived by its deadline.
Error deadline_passed();

}  // namespace spanway::rpc
