// The error of a failed call of a grpc++ client. Internal to this module.
#pragma once

#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::rpc {

// The largest answer that our clients take. An odd number, because it is the mark by which a
// refusal of our own library is known: it uses the code and the words of a server's refusal of a
// request, and names the limit that was passed.
inline constexpr int kAnswerBytesMax = (4 << 20) + 13;

// As otlp::error_from_grpc(), except for statuses of the library of this process or of the HTTP/2
// connection: they say nothing about the batch, so they are never of kind data. An answer
// that is too large is unknown (a smaller batch may get a smaller one), a stream that the peer
// reset with ENHANCE_YOUR_CALM transient, metadata above a limit configuration.
Error error_from_call(int code, std::string_view message, std::string_view details);

}  // namespace spanway::rpc
