// AWS Signature Version 4 for S3 and STS, in headers, with the payload's hash.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/http/message.h"
#include "services/lib/objectstore/credentials.h"

namespace spanway::objectstore {

using Sha256 = std::array<char, 32>;

// Stateless; thread-safe.
Sha256 sha256(std::string_view bytes);
inline std::string_view view(const Sha256& digest) noexcept {
  return {digest.data(), digest.size()};
}

// A key as a path: percent-encoded but for its slashes.
std::string encode_key(std::string_view key);

// Names and values as they are meant, not encoded.
using QueryParameters = std::vector<std::pair<std::string, std::string>>;
// Encoded and sorted, as it is signed and sent: "a=1&b=2".
std::string encode_query(const QueryParameters& query);

struct SigningScope {
  std::string_view region;   // "eu-central-1"
  std::string_view service;  // "s3"
  std::string_view host;     // The host header as it is sent.
};

// Adds x-amz-date, x-amz-content-sha256, x-amz-security-token and authorization to `headers`, all
// of which are signed. `path` and `query` are encoded.
void sign(std::string_view method, std::string_view path, std::string_view query,
          const Sha256& payload, const SigningScope& scope, const Credentials& credentials,
          SystemTime now, http::Headers& headers);

}  // namespace spanway::objectstore
