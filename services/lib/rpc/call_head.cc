#include "services/lib/rpc/call_head.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/lib/otlp/status_map.h"
#include "services/lib/rpc/grpc_response.h"

namespace spanway::rpc {
namespace {

constexpr int kHttpVersionNotSupported = 505;

// The answer to HTTP/1.1, in the encoding that an OTLP/HTTP client would read it in.
http::Response http1_response(const http::RequestHead& head, std::uint16_t http_port) {
  const Error error =
      configuration_error(
          Code::kUnimplemented,
          "this port serves OTLP/gRPC, which needs HTTP/2" +
              (http_port == 0 ? std::string("; OTLP/HTTP is not served here")
                              : ": send OTLP/HTTP to port " + std::to_string(http_port)))
          .with_reason("wrong_port");
  const std::string_view type = head.headers.get("content-type");
  const bool json = type.starts_with("application/json");
  if (!json && !type.starts_with("application/x-protobuf"))
    return plain_response(kHttpVersionNotSupported, error.message + "\n");
  http::Response response;
  response.status = kHttpVersionNotSupported;
  response.headers.add("content-type", json ? "application/json" : "application/x-protobuf");
  response.body =
      otlp::status_body(error, json ? otlp::Encoding::kJson : otlp::Encoding::kProtobuf);
  return response;
}

Error bad_header(std::string message) {
  return invalid_argument(std::move(message)).with_reason("grpc_bad_header");
}

}  // namespace

std::optional<http::Response> check_transport(const http::RequestHead& head, ContentType type,
                                              std::uint16_t http_port) {
  if (head.protocol != http::Protocol::kHttp2) return http1_response(head, http_port);
  if (head.method != "POST") {
    http::Response response = plain_response(405, "gRPC calls are POST requests\n");
    response.headers.add("allow", "POST");
    return response;
  }
  if (type == ContentType::kNotGrpc) {
    return plain_response(415, "content-type must be application/grpc\n");
  }
  return std::nullopt;
}

Error deadline_passed() {
  return transient_error(Code::kDeadlineExceeded,
                         "the deadline passed before the request had arrived")
      .with_reason("deadline_exceeded");
}

Result<CallHead> read_head(const http::RequestHead& head, ContentType type, Duration deadline_max) {
  if (type == ContentType::kOtherMessages) {
    return data_error(Code::kUnimplemented, "only protobuf messages are understood here")
        .with_reason("grpc_encoding");
  }
  if (head.headers.get("te") != "trailers") {
    return bad_header("the header te: trailers is missing; a proxy on the way may not carry gRPC");
  }
  CallHead call{.timeout = deadline_max};
  if (const auto timeout = head.headers.find("grpc-timeout")) {
    SPANWAY_ASSIGN(const Duration requested, parse_timeout(*timeout));
    call.timeout = std::min(call.timeout, requested);
  }
  Result<http::ContentCoding> coding =
      http::parse_content_coding(head.headers.get("grpc-encoding"));
  if (!coding.ok()) {
    return data_error(Code::kUnimplemented,
                      "grpc-encoding must be one of " + std::string(http::kContentCodings))
        .with_reason("grpc_encoding");
  }
  call.coding = *coding;
  if (call.timeout == Duration::zero()) return deadline_passed();
  return call;
}

}  // namespace spanway::rpc
