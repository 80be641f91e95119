#include "services/query/api/http_status.h"

namespace spanway::query {

int http_status_of(const Error& error) noexcept {
  switch (error.code) {
    case Code::kInvalidArgument:
    case Code::kOutOfRange:
      return error.refusal == Refusal::kConfiguration ? 500 : 400;
    case Code::kNotFound:
      // A table or a database that is missing is no answer to a client's question.
      return error.refusal == Refusal::kConfiguration ? 500 : 404;
    case Code::kUnauthenticated:
    case Code::kPermissionDenied:
      // The store's refusal of our own user.
      return 500;
    case Code::kResourceExhausted:
      return error.refusal == Refusal::kData ? 413 : 503;
    case Code::kUnimplemented:
      return 501;
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kCancelled:
    case Code::kAborted:
      return 503;
    default:
      return 500;
  }
}

bool may_retry(int http_status) noexcept { return http_status == 429 || http_status == 503; }

}  // namespace spanway::query
