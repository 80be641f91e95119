// Where the keys of an S3 client come from: the environment, a file, or a web identity token that
// is exchanged at STS.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/base/secret.h"
#include "services/lib/http/io_pool.h"

namespace spanway::objectstore {

struct Credentials {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;               // Empty = none.
  std::optional<SystemTime> expires;  // Nothing = they do not.
};

enum class CredentialsSource {
  kAuto,         // The first of the others that is set, in this order.
  kEnvironment,  // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
  kWebIdentity,  // AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_SESSION_NAME.
  kFile,         // An AWS credentials file.
};

struct CredentialsOptions {
  CredentialsSource source = CredentialsSource::kAuto;
  // Empty = AWS_SHARED_CREDENTIALS_FILE, or ~/.aws/credentials.
  std::string file = {};
  // Section of the file; empty = AWS_PROFILE, or "default".
  std::string profile = {};
  std::string region = {};  // Region of STS, unless AWS_ENDPOINT_URL_STS names one.
  // The value of an environment variable; the process's own by default.
  std::function<std::optional<std::string>(const char*)> environment = nullptr;
};

// Thread-safe. Callbacks run once, on the calling thread when the credentials are known, else on an
// io thread. Errors: UNAUTHENTICATED, configuration, "s3_no_credentials" when nothing is set or a
// file cannot be read; STS's own refusal; transport errors.
class CredentialsProvider {
 public:
  using Callback = std::function<void(Result<std::shared_ptr<const Credentials>>)>;
  // `io` and `clock` outlive the provider.
  static std::shared_ptr<CredentialsProvider> create(CredentialsOptions options, http::IoPool& io,
                                                     const Clock& clock);
  virtual ~CredentialsProvider() = default;
  // Files are read again after a minute; those of STS are renewed five minutes before they expire.
  // At most kWaitingMax callers wait for STS; more are refused, transient.
  virtual void get(Deadline deadline, Callback callback) = 0;
  // The server has refused these credentials: the next get() does not use what is remembered.
  virtual void forget() = 0;

  static constexpr std::size_t kWaitingMax = 1024;
};

}  // namespace spanway::objectstore
