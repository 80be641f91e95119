// Answers of gRPC as HTTP responses. Functions without state: thread-safe.
#pragma once

#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/http/message.h"

namespace spanway::rpc {

// A message with grpc-status 0, compressed where `gzip` and the message is larger than 1 KiB.
http::Response ok_response(Bytes message, bool gzip);
// Trailers only: grpc-status, grpc-message and, where it says more, grpc-status-details-bin.
http::Response error_response(const Error& error);
// The same with the error's own code, for methods that are not OTLP's.
http::Response error_response_as_is(const Error& error);
// The same fields, for the end of a streamed answer.
http::Headers status_trailers(const Error& error);
// For what is not gRPC at all.
http::Response plain_response(int status, std::string_view text);

}  // namespace spanway::rpc
