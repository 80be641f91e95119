#include "services/lib/objectstore/s3_error.h"

#include <array>
#include <pugixml.hpp>
#include <utility>

#include "services/lib/base/rfc3339.h"
#include "services/lib/otlp/retry_after.h"

namespace spanway::objectstore {
namespace {

constexpr std::size_t kMessageBytesMax = 300;
constexpr Refusal kTransient = Refusal::kTransient;
constexpr Refusal kConfiguration = Refusal::kConfiguration;

constexpr const char* kCheckKeys = "check the access key, its secret and its policy";
constexpr const char* kCheckRegion = "set region, or endpoint, to the one that the server names";

constexpr std::array kKinds = {
    S3ErrorKind{"SlowDown", kTransient, Code::kUnavailable, "s3_slow_down", ""},
    S3ErrorKind{"SlowDownWrite", kTransient, Code::kUnavailable, "s3_slow_down", ""},
    S3ErrorKind{"Throttling", kTransient, Code::kUnavailable, "s3_slow_down", ""},
    S3ErrorKind{"ThrottlingException", kTransient, Code::kUnavailable, "s3_slow_down", ""},
    S3ErrorKind{"RequestLimitExceeded", kTransient, Code::kUnavailable, "s3_slow_down", ""},
    S3ErrorKind{"ServiceUnavailable", kTransient, Code::kUnavailable, "s3_unavailable", ""},
    S3ErrorKind{"InternalError", kTransient, Code::kUnavailable, "s3_unavailable", ""},
    S3ErrorKind{"RequestTimeout", kTransient, Code::kDeadlineExceeded, "s3_timeout", ""},
    S3ErrorKind{"OperationAborted", kTransient, Code::kAborted, "s3_conflict", ""},
    S3ErrorKind{"ConditionalRequestConflict", kTransient, Code::kAborted, "s3_conflict", ""},
    S3ErrorKind{"NoSuchUpload", kTransient, Code::kAborted, "s3_no_such_upload", ""},
    S3ErrorKind{"BadDigest", kTransient, Code::kDataLoss, "s3_checksum",
                "the bytes changed on the way"},
    S3ErrorKind{"InvalidDigest", kTransient, Code::kDataLoss, "s3_checksum",
                "the bytes changed on the way"},
    S3ErrorKind{"XAmzContentChecksumMismatch", kTransient, Code::kDataLoss, "s3_checksum",
                "the bytes changed on the way"},
    S3ErrorKind{"XAmzContentSHA256Mismatch", kTransient, Code::kDataLoss, "s3_checksum",
                "the bytes changed on the way"},
    S3ErrorKind{"IncompleteBody", kTransient, Code::kDataLoss, "s3_checksum",
                "the bytes changed on the way"},
    S3ErrorKind{"XMinioStorageFull", kTransient, Code::kResourceExhausted, "s3_full",
                "nothing is stored until the server has space"},
    S3ErrorKind{"XMinioAdminBucketQuotaExceeded", kTransient, Code::kResourceExhausted, "s3_full",
                "nothing is stored until the bucket's quota allows it"},
    S3ErrorKind{"QuotaExceeded", kTransient, Code::kResourceExhausted, "s3_full",
                "nothing is stored until the bucket's quota allows it"},
    S3ErrorKind{"InsufficientStorage", kTransient, Code::kResourceExhausted, "s3_full",
                "nothing is stored until the server has space"},
    S3ErrorKind{"EntityTooLarge", Refusal::kData, Code::kResourceExhausted, "s3_too_large", ""},
    S3ErrorKind{"PreconditionFailed", kConfiguration, Code::kFailedPrecondition,
                "s3_precondition_failed", ""},
    S3ErrorKind{"NoSuchKey", kConfiguration, Code::kNotFound, "s3_no_such_key", ""},
    S3ErrorKind{"NoSuchBucket", kConfiguration, Code::kNotFound, "s3_no_such_bucket",
                "create the bucket, or correct its name"},
    S3ErrorKind{"InvalidBucketName", kConfiguration, Code::kInvalidArgument, "s3_no_such_bucket",
                "correct the bucket's name"},
    S3ErrorKind{"AccessDenied", kConfiguration, Code::kPermissionDenied, "s3_access_denied",
                "the key needs s3:PutObject on the bucket, and the bucket must not be read-only"},
    S3ErrorKind{"AllAccessDisabled", kConfiguration, Code::kPermissionDenied, "s3_access_denied",
                kCheckKeys},
    S3ErrorKind{"AccountProblem", kConfiguration, Code::kPermissionDenied, "s3_access_denied",
                kCheckKeys},
    S3ErrorKind{"InvalidAccessKeyId", kConfiguration, Code::kUnauthenticated, "s3_bad_credentials",
                kCheckKeys},
    S3ErrorKind{"XAdminUserNotFound", kConfiguration, Code::kUnauthenticated, "s3_bad_credentials",
                kCheckKeys},  // versitygw
    S3ErrorKind{"SignatureDoesNotMatch", kConfiguration, Code::kUnauthenticated,
                "s3_bad_credentials", kCheckKeys},
    S3ErrorKind{"InvalidToken", kConfiguration, Code::kUnauthenticated, "s3_bad_credentials",
                kCheckKeys},
    S3ErrorKind{"InvalidClientTokenId", kConfiguration, Code::kUnauthenticated,
                "s3_bad_credentials", kCheckKeys},
    S3ErrorKind{"InvalidIdentityToken", kConfiguration, Code::kUnauthenticated,
                "s3_bad_credentials", "check the role's trust policy"},
    S3ErrorKind{"ExpiredToken", kConfiguration, Code::kUnauthenticated, "s3_expired_credentials",
                "renew the credentials; they are read again for each try"},
    S3ErrorKind{"ExpiredTokenException", kConfiguration, Code::kUnauthenticated,
                "s3_expired_credentials", "renew the token; it is read again for each try"},
    S3ErrorKind{"RequestTimeTooSkewed", kConfiguration, Code::kUnauthenticated, "s3_clock_skew",
                "set the clock of this machine, or of the server"},
    S3ErrorKind{"RequestExpired", kConfiguration, Code::kUnauthenticated, "s3_clock_skew",
                "set the clock of this machine, or of the server"},
    S3ErrorKind{"PermanentRedirect", kConfiguration, Code::kFailedPrecondition, "s3_wrong_region",
                kCheckRegion},
    S3ErrorKind{"TemporaryRedirect", kConfiguration, Code::kFailedPrecondition, "s3_wrong_region",
                kCheckRegion},
    S3ErrorKind{"AuthorizationHeaderMalformed", kConfiguration, Code::kFailedPrecondition,
                "s3_wrong_region", kCheckRegion},
    S3ErrorKind{"IllegalLocationConstraintException", kConfiguration, Code::kFailedPrecondition,
                "s3_wrong_region", kCheckRegion},
    S3ErrorKind{"MethodNotAllowed", kConfiguration, Code::kPermissionDenied, "s3_read_only",
                "the server does not take writes here"},
};

const S3ErrorKind* find_kind(std::string_view code) {
  for (const S3ErrorKind& kind : kKinds)
    if (kind.code == code) return &kind;
  return nullptr;
}

// For answers without a known code.
S3ErrorKind kind_of_status(int status) {
  if (status == 413) return {"", Refusal::kData, Code::kResourceExhausted, "s3_too_large", ""};
  if (status == 429) return {"", kTransient, Code::kResourceExhausted, "s3_slow_down", ""};
  if (status == 503) return {"", kTransient, Code::kUnavailable, "s3_slow_down", ""};
  if (status == 507)
    return {"", kTransient, Code::kResourceExhausted, "s3_full",
            "nothing is stored until the server has space"};
  if (status >= 500 || status == 408)
    return {"", kTransient, Code::kUnavailable, "s3_unavailable", ""};
  if (status == 401)
    return {"", kConfiguration, Code::kUnauthenticated, "s3_bad_credentials", kCheckKeys};
  if (status == 403)
    return {"", kConfiguration, Code::kPermissionDenied, "s3_access_denied", kCheckKeys};
  if (status >= 300 && status < 400)
    return {"", kConfiguration, Code::kFailedPrecondition, "s3_wrong_region", kCheckRegion};
  if (status == 404)
    return {"", kConfiguration, Code::kNotFound, "s3_not_found",
            "check the bucket, the endpoint and path_style"};
  if (status == 412)
    return {"", kConfiguration, Code::kFailedPrecondition, "s3_precondition_failed", ""};
  return {"", kConfiguration, Code::kFailedPrecondition, "s3_refused",
          "check the bucket, the endpoint and path_style"};
}

struct ErrorBody {
  std::string code, message, region, endpoint;
};

// pugixml keeps what it has read before a mistake, which the end of a truncated body is.
ErrorBody parse_body(std::string_view body) {
  pugi::xml_document document;
  document.load_buffer(body.data(), body.size());
  pugi::xml_node error = document.child("Error");
  if (!error) error = document.child("ErrorResponse").child("Error");  // STS.
  return {.code = error.child_value("Code"),
          .message = error.child_value("Message"),
          .region = error.child_value("Region"),
          .endpoint = error.child_value("Endpoint")};
}

std::string text_of(const http::Response& response, const ErrorBody& body, const S3ErrorKind& kind,
                    SystemTime now) {
  std::string text = "HTTP " + std::to_string(response.status);
  if (!body.code.empty()) text += " " + body.code.substr(0, kMessageBytesMax);
  if (!body.message.empty()) text += ": " + body.message.substr(0, kMessageBytesMax);
  std::string region(response.headers.get("x-amz-bucket-region"));
  if (region.empty()) region = body.region;
  const bool is_redirect = kind.reason == std::string_view("s3_wrong_region");
  if (is_redirect && !region.empty()) text += "; the server names the region " + region;
  if (is_redirect && !body.endpoint.empty()) text += " and the endpoint " + body.endpoint;
  if (kind.reason == std::string_view("s3_clock_skew"))
    text += "; this machine's clock says " + to_rfc3339(now) + ", the server's date is " +
            std::string(response.headers.get("date"));
  if (*kind.advice != '\0') text += "; " + std::string(kind.advice);
  return text;
}

}  // namespace

std::span<const S3ErrorKind> s3_error_kinds() noexcept { return kKinds; }

bool is_failed_success(const http::Response& response) {
  constexpr std::size_t kPrologBytesMax = 256;
  return response.status == 200 &&
         response.body.view().substr(0, kPrologBytesMax).find("<Error>") != std::string_view::npos;
}

Error s3_error(const http::Response& response, SystemTime now) {
  const ErrorBody body = parse_body(response.body.view());
  const S3ErrorKind* known = find_kind(body.code);
  const S3ErrorKind kind = known != nullptr ? *known : kind_of_status(response.status);
  Error error{.code = kind.grpc,
              .refusal = kind.refusal,
              .message = text_of(response, body, kind, now),
              .reason = kind.reason};
  if (kind.refusal == Refusal::kTransient)
    error.retry_after = otlp::parse_retry_after(
        response.headers.get("retry-after"),
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  return error;
}

Error not_s3(const http::Response& response) {
  constexpr std::size_t kTypeBytesMax = 64;
  return configuration_error(
             Code::kFailedPrecondition,
             "HTTP " + std::to_string(response.status) + " without what S3 answers (type '" +
                 std::string(response.headers.get("content-type").substr(0, kTypeBytesMax)) +
                 "'): something else is served there; check the endpoint")
      .with_reason("not_the_api");
}

}  // namespace spanway::objectstore
