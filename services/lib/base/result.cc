#include "services/lib/base/result.h"

namespace spanway {

std::string_view to_string(Code code) noexcept {
  switch (code) {
    case Code::kOk:
      return "OK";
    case Code::kCancelled:
      return "CANCELLED";
    case Code::kUnknown:
      return "UNKNOWN";
    case Code::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case Code::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case Code::kNotFound:
      return "NOT_FOUND";
    case Code::kAlreadyExists:
      return "ALREADY_EXISTS";
    case Code::kPermissionDenied:
      return "PERMISSION_DENIED";
    case Code::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case Code::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case Code::kAborted:
      return "ABORTED";
    case Code::kOutOfRange:
      return "OUT_OF_RANGE";
    case Code::kUnimplemented:
      return "UNIMPLEMENTED";
    case Code::kInternal:
      return "INTERNAL";
    case Code::kUnavailable:
      return "UNAVAILABLE";
    case Code::kDataLoss:
      return "DATA_LOSS";
    case Code::kUnauthenticated:
      return "UNAUTHENTICATED";
  }
  return "UNKNOWN";
}

std::string_view to_string(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::kTransient:
      return "transient";
    case Refusal::kData:
      return "data";
    case Refusal::kConfiguration:
      return "configuration";
    case Refusal::kUnknown:
      return "unknown";
  }
  return "unknown";
}

Error transient_error(Code code, std::string message) {
  return Error{.code = code, .refusal = Refusal::kTransient, .message = std::move(message)};
}
Error data_error(Code code, std::string message) {
  return Error{.code = code, .refusal = Refusal::kData, .message = std::move(message)};
}
Error configuration_error(Code code, std::string message) {
  return Error{.code = code, .refusal = Refusal::kConfiguration, .message = std::move(message)};
}
Error unknown_error(Code code, std::string message) {
  return Error{.code = code, .refusal = Refusal::kUnknown, .message = std::move(message)};
}
Error invalid_argument(std::string message) {
  return data_error(Code::kInvalidArgument, std::move(message));
}
Error unavailable(std::string message) {
  return transient_error(Code::kUnavailable, std::move(message));
}

}  // namespace spanway
