// Exchanges a web identity token (a Kubernetes service account's) for credentials at STS. Internal
// to objectstore.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/http/client.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/objectstore/credentials.h"

namespace spanway::objectstore {

struct WebIdentityOptions {
  std::string role_arn;
  std::string token_file;    // Read for each exchange: the cluster rotates it.
  std::string session_name;  // Empty = "spanway".
  std::string endpoint;      // Empty = https://sts.<region>.amazonaws.com
  std::string region;
};

// Thread-safe. One connection, made when it is first needed.
class WebIdentity {
 public:
  WebIdentity(http::IoPool& io, const Clock& clock) : io_(io), clock_(clock) {}
  // `done` runs once, on an io thread; at once when nothing can be sent. A refusal of STS is
  // configuration, except for those that say to come back.
  void exchange(const WebIdentityOptions& options, Deadline deadline,
                std::function<void(Result<Credentials>)> done);

 private:
  Result<http::Client*> client(const std::string& endpoint);

  http::IoPool& io_;
  const Clock& clock_;
  Mutex mutex_;
  std::unique_ptr<http::Client> client_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::objectstore
