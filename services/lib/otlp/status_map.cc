#include "services/lib/otlp/status_map.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include "services/lib/base/ascii.h"
#include "services/lib/base/utf8.h"
#include "services/lib/otlp/reasons.h"
#include "services/lib/otlp/retry_after.h"
#include "services/lib/otlp/rpc_status.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultRetryAfter = std::chrono::seconds(1);
// Limit of a peer's text in our own message.
constexpr std::size_t kPeerTextBytesMax = 512;

bool is_configuration_code(Code code) noexcept {
  return code == Code::kUnauthenticated || code == Code::kPermissionDenied ||
         code == Code::kNotFound || code == Code::kUnimplemented ||
         code == Code::kFailedPrecondition;
}

// May a client that follows OTLP send the same again? RESOURCE_EXHAUSTED depends on RetryInfo.
bool is_retryable_code(Code code) noexcept {
  return code == Code::kCancelled || code == Code::kDeadlineExceeded || code == Code::kAborted ||
         code == Code::kOutOfRange || code == Code::kUnavailable || code == Code::kDataLoss;
}

Code data_code(Code code) noexcept {
  const bool says_so = code != Code::kOk && code != Code::kUnknown && code != Code::kInternal;
  return says_so && !is_retryable_code(code) ? code : Code::kInvalidArgument;
}

RpcStatus status_of(const Error& error, Code code) {
  RpcStatus status;
  status.code = static_cast<int>(code);
  status.message = printable_utf8(error.message, kErrorMessageBytesMax);
  if (error.refusal == Refusal::kTransient)
    status.retry_after = error.retry_after.value_or(kDefaultRetryAfter);
  status.reason = error.reason;
  return status;
}

std::string peer_message(std::string_view answer, std::string_view text) {
  std::string message(answer);
  if (!text.empty()) message += ": " + printable_utf8(text, kPeerTextBytesMax);
  return message;
}

Refusal refusal_of_grpc(Code code, bool has_retry_info) noexcept {
  if (is_retryable_code(code)) return Refusal::kTransient;
  if (code == Code::kResourceExhausted)
    return has_retry_info ? Refusal::kTransient : Refusal::kData;
  if (code == Code::kInvalidArgument) return Refusal::kData;
  if (is_configuration_code(code)) return Refusal::kConfiguration;
  return Refusal::kUnknown;
}

struct HttpMeaning {
  int status;
  Code code;
  Refusal refusal;
};
constexpr std::array kHttpMeanings = {
    HttpMeaning{400, Code::kInvalidArgument, Refusal::kData},
    HttpMeaning{413, Code::kResourceExhausted, Refusal::kData},
    HttpMeaning{422, Code::kInvalidArgument, Refusal::kData},
    HttpMeaning{401, Code::kUnauthenticated, Refusal::kConfiguration},
    HttpMeaning{403, Code::kPermissionDenied, Refusal::kConfiguration},
    HttpMeaning{404, Code::kNotFound, Refusal::kConfiguration},
    HttpMeaning{405, Code::kUnimplemented, Refusal::kConfiguration},
    HttpMeaning{407, Code::kUnauthenticated, Refusal::kConfiguration},
    HttpMeaning{415, Code::kUnimplemented, Refusal::kConfiguration},
    HttpMeaning{501, Code::kUnimplemented, Refusal::kConfiguration},
    HttpMeaning{408, Code::kUnavailable, Refusal::kTransient},  // Request Timeout.
    HttpMeaning{425, Code::kUnavailable, Refusal::kTransient},  // Too Early.
    HttpMeaning{429, Code::kResourceExhausted, Refusal::kTransient},
    HttpMeaning{502, Code::kUnavailable, Refusal::kTransient},
    HttpMeaning{503, Code::kUnavailable, Refusal::kTransient},
    HttpMeaning{504, Code::kUnavailable, Refusal::kTransient},
};

HttpMeaning meaning_of(int status) noexcept {
  const auto found = std::find_if(kHttpMeanings.begin(), kHttpMeanings.end(),
                                  [status](const HttpMeaning& m) { return m.status == status; });
  if (found != kHttpMeanings.end()) return *found;
  // A redirect is not followed: the endpoint in the settings is the wrong one.
  if (status >= 300 && status < 400)
    return {status, Code::kFailedPrecondition, Refusal::kConfiguration};
  return {status, status >= 500 ? Code::kInternal : Code::kUnknown, Refusal::kUnknown};
}

}  // namespace

Code grpc_code(const Error& error) noexcept {
  switch (error.refusal) {
    case Refusal::kTransient:
      return error.code == Code::kResourceExhausted ? error.code : Code::kUnavailable;
    case Refusal::kData:
      return data_code(error.code);
    case Refusal::kConfiguration:
      return is_configuration_code(error.code) ? error.code : Code::kFailedPrecondition;
    case Refusal::kUnknown:
      // A more specific code would be taken for data or configuration by the next receiver.
      return refusal_of_grpc(error.code, false) == Refusal::kUnknown && error.code != Code::kOk
                 ? error.code
                 : Code::kUnknown;
  }
  return Code::kUnknown;
}

int http_status(const Error& error) noexcept {
  const Code code = grpc_code(error);
  if (error.refusal == Refusal::kTransient) return code == Code::kResourceExhausted ? 429 : 503;
  if (code == Code::kUnauthenticated) return 401;
  if (code == Code::kPermissionDenied) return 403;
  if (code == Code::kNotFound) return 404;
  if (error.refusal == Refusal::kData) {
    if (code == Code::kResourceExhausted) return 413;
    return code == Code::kUnimplemented ? 415 : 400;
  }
  return code == Code::kUnimplemented ? 404 : 500;
}

Bytes status_body(const Error& error, Encoding encoding) {
  const RpcStatus status = status_of(error, grpc_code(error));
  return encoding == Encoding::kJson ? write_json(status) : write_protobuf(status);
}

Bytes status_body(const Error& error, Code code) { return write_protobuf(status_of(error, code)); }

std::optional<std::int64_t> retry_after_seconds(const Error& error) noexcept {
  if (error.refusal != Refusal::kTransient) return std::nullopt;
  const auto wait =
      std::chrono::ceil<std::chrono::seconds>(error.retry_after.value_or(kDefaultRetryAfter));
  return std::max<std::int64_t>(1, wait.count());
}

Bytes export_response(Signal signal, std::uint64_t rejected, std::string_view message,
                      Encoding encoding) {
  const std::string text = printable_utf8(message, kPartialMessageBytesMax);
  const bool full_success = rejected == 0 && text.empty();
  constexpr std::uint64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
  rejected = std::min(rejected, kInt64Max);
  if (encoding == Encoding::kJson) {
    if (full_success) return Bytes("{}");
    return write_partial_success_json(signal, rejected, text);
  }
  Bytes out;
  if (full_success) return out;
  wire::Writer writer(out);
  const auto mark = writer.begin(1);
  if (rejected > 0) writer.varint(1, rejected);
  if (!text.empty()) writer.bytes(2, text);
  writer.end(mark);
  return out;
}

Result<PartialSuccess> parse_export_response(Signal signal, std::string_view body,
                                             Encoding encoding) {
  PartialSuccess partial;
  const bool understood = encoding == Encoding::kJson
                              ? read_partial_success_json(signal, body, partial)
                              : read_partial_success_protobuf(body, partial);
  if (understood) return partial;
  return unknown_error(Code::kInternal, "the answer of " + std::to_string(body.size()) +
                                            " bytes is not an Export response")
      .with_reason("bad_export_response");
}

Error error_from_grpc(int number, std::string_view message, std::string_view details) {
  const bool published = number > 0 && number <= static_cast<int>(Code::kUnauthenticated);
  const Code code = published ? static_cast<Code>(number) : Code::kUnknown;
  RpcStatus status;
  read_protobuf(details, status);
  Error error;
  error.code = code;
  error.refusal = refusal_of_grpc(code, status.retry_after.has_value());
  error.message = peer_message(to_string(code), message.empty() ? status.message : message);
  if (error.refusal == Refusal::kTransient) error.retry_after = status.retry_after;
  error.reason = status.reason;
  return error;
}

Error error_from_http(int number, std::string_view retry_after, std::string_view body,
                      std::chrono::system_clock::time_point now) {
  const HttpMeaning meaning = meaning_of(number);
  RpcStatus status;
  const bool is_status = read_json(body, status) || read_protobuf(body, status);
  Error error;
  error.code = meaning.code;
  error.refusal = meaning.refusal;
  error.message =
      peer_message("HTTP " + std::to_string(number),
                   trim(is_status ? std::string_view(status.message) : body, kWhiteSpace));
  if (error.refusal == Refusal::kTransient) {
    error.retry_after = parse_retry_after(retry_after, now);
    if (!error.retry_after) error.retry_after = status.retry_after;
  }
  error.reason = status.reason;
  return error;
}

}  // namespace spanway::otlp
