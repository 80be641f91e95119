#include "services/lib/rpc/grpc_response.h"

#include <string>
#include <utility>

#include "services/lib/base/base64.h"
#include "services/lib/base/utf8.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/otlp/status_map.h"
#include "services/lib/rpc/grpc_wire.h"

namespace spanway::rpc {
namespace {

constexpr std::size_t kCompressAboveBytes = 1024;

http::Response grpc_response() {
  http::Response response;
  response.headers.add("content-type", "application/grpc");
  return response;
}

// True when the status alone would lose information.
bool has_details(const Error& error) noexcept {
  return error.refusal == Refusal::kTransient || error.retry_after.has_value() ||
         *error.reason != '\0';
}

http::Headers status_fields(const Error& error, Code code) {
  http::Headers headers;
  headers.add("grpc-status", std::to_string(static_cast<int>(code)));
  headers.add("grpc-message", encode_status_message(error.message));
  // So that a client whose encoding was refused learns which ones are not.
  if (error.code == Code::kUnimplemented) {
    headers.add("grpc-accept-encoding", "identity,gzip,deflate,zstd");
  }
  if (has_details(error)) {
    Error bounded = error;
    bounded.message.resize(utf8_prefix(bounded.message, kStatusMessageBytesMax));
    headers.add("grpc-status-details-bin",
                encode_base64(otlp::status_body(bounded, code).view(), Base64Padding::kOmitted));
  }
  return headers;
}

http::Response trailers_only(const http::Headers& status) {
  http::Response response = grpc_response();
  for (const auto& [name, value] : status.fields()) response.headers.add(name, value);
  return response;
}

}  // namespace

http::Response ok_response(Bytes message, bool gzip) {
  http::Response response = grpc_response();
  response.trailers.add("grpc-status", "0");
  if (gzip && message.size() > kCompressAboveBytes) {
    Result<Bytes> smaller = http::encode(http::ContentCoding::kGzip, message.view());
    if (smaller.ok() && smaller->size() < message.size()) {
      response.headers.add("grpc-encoding", "gzip");
      response.body = frame_message(smaller->view(), true);
      return response;
    }
  }
  response.body = frame_message(message.view(), false);
  return response;
}

http::Headers status_trailers(const Error& error) { return status_fields(error, error.code); }

http::Response error_response(const Error& error) {
  return trailers_only(status_fields(error, otlp::grpc_code(error)));
}

http::Response error_response_as_is(const Error& error) {
  return trailers_only(status_trailers(error));
}

http::Response plain_response(int status, std::string_view text) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", "text/plain; charset=utf-8");
  response.body = Bytes(text);
  return response;
}

}  // namespace spanway::rpc
