// One signed request of an S3 client. Internal to objectstore.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/client.h"
#include "services/lib/objectstore/credentials.h"
#include "services/lib/objectstore/sigv4.h"

namespace spanway::objectstore {

struct S3Request {
  std::string method;
  std::string key;  // Empty = the bucket itself.
  QueryParameters query = {};
  http::Headers headers = {};
  Bytes body = {};
  bool send_checksum = false;  // x-amz-checksum-sha256 of the body.
};

// Signs and sends. Thread-safe; calls hold it by weak pointers.
class S3Sender {
 public:
  struct Target {
    std::string host;       // As the host header names it.
    std::string base_path;  // "/bucket" with path style, else "".
    std::string region;
    std::string endpoint;  // For messages.
  };
  using Callback = std::function<void(Result<http::Response>)>;

  S3Sender(Target target, std::unique_ptr<http::Client> client,
           std::shared_ptr<CredentialsProvider> credentials, const Clock& clock)
      : target_(std::move(target)),
        client_(std::move(client)),
        credentials_(std::move(credentials)),
        clock_(clock) {}

  // A 2xx, or an error that names the endpoint and the key. A 200 whose body is an <Error>, which
  // S3 sends for CompleteMultipartUpload, is an error.
  static void send(const std::shared_ptr<S3Sender>& self, S3Request request, Deadline deadline,
                   Callback done);
  const Target& target() const noexcept { return target_; }

 private:
  void send_signed(S3Request request, const Credentials& credentials, Deadline deadline,
                   Callback done);

  const Target target_;
  const std::unique_ptr<http::Client> client_;
  const std::shared_ptr<CredentialsProvider> credentials_;
  const Clock& clock_;
};

}  // namespace spanway::objectstore
