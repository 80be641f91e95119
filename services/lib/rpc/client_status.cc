#include "services/lib/rpc/client_status.h"

#include <string>

#include "services/lib/otlp/status_map.h"

namespace spanway::rpc {
namespace {

// The words of grpc++ 1.51. A test has the library say them.
const std::string& answer_too_large() {
  static const std::string text = " vs. " + std::to_string(kAnswerBytesMax) + ")";
  return text;
}
constexpr std::string_view kTooLarge = "Received message larger than max (";
constexpr std::string_view kReset = "Received RST_STREAM with error code 11";
constexpr std::string_view kMetadata = "metadata size exceeds limit";

}  // namespace

Error error_from_call(int code, std::string_view message, std::string_view details) {
  Error error = otlp::error_from_grpc(code, message, details);
  if (error.code != Code::kResourceExhausted || error.refusal != Refusal::kData) return error;
  if (message.starts_with(kTooLarge) && message.ends_with(answer_too_large())) {
    error.refusal = Refusal::kUnknown;
    error.reason = "grpc_answer_too_large";
    return std::move(error).with_context("the answer is above the limit of this client");
  }
  if (message.starts_with(kReset)) {
    error.refusal = Refusal::kTransient;
    error.reason = "grpc_stream_reset";
  } else if (message.find(kMetadata) != std::string_view::npos) {
    error.refusal = Refusal::kConfiguration;
    error.reason = "grpc_metadata_too_large";
  }
  return error;
}

}  // namespace spanway::rpc
