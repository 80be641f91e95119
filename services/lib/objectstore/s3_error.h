// The meaning of an S3 server's refusal for the next try.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/message.h"

namespace spanway::objectstore {

// One row: an error code of S3, STS, MinIO or versitygw.
struct S3ErrorKind {
  std::string_view code;  // "NoSuchBucket"
  Refusal refusal;
  Code grpc;
  const char* reason;  // Reason of the Error: "s3_no_such_bucket"
  const char* advice;  // The next step for a person; "" = nothing but to wait.
};
std::span<const S3ErrorKind> s3_error_kinds() noexcept;

// True for a 200 whose body is an <Error>: S3 sends its status before it has completed an upload.
bool is_failed_success(const http::Response& response);

// The error of an answer that is not 2xx, or of a 200 whose body is an <Error>. Codes without a row
// go by the status: 5xx and 429 transient, 3xx and 4xx configuration, since an object store does
// not read what an object holds. `now` is ours, and named beside the server's date when the clocks
// differ.
Error s3_error(const http::Response& response, SystemTime now);

// FAILED_PRECONDITION, configuration, "not_the_api": a 2xx that no S3 server sends.
Error not_s3(const http::Response& response);

}  // namespace spanway::objectstore
