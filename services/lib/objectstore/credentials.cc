#include "services/lib/objectstore/credentials.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/objectstore/credentials_file.h"
#include "services/lib/objectstore/web_identity.h"

namespace spanway::objectstore {
namespace {

constexpr Duration kKeep = std::chrono::minutes(1);
constexpr Duration kRenewBefore = std::chrono::minutes(5);

using CredentialsPtr = std::shared_ptr<const Credentials>;

Error no_credentials(std::string message) {
  return configuration_error(Code::kUnauthenticated, std::move(message))
      .with_reason("s3_no_credentials");
}

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

class Provider final : public CredentialsProvider, public std::enable_shared_from_this<Provider> {
 public:
  Provider(CredentialsOptions options, http::IoPool& io, const Clock& clock)
      : options_(std::move(options)), clock_(clock), web_identity_(io, clock) {
    if (!options_.environment) options_.environment = process_environment;
  }

  void get(Deadline deadline, Callback callback) override {
    if (auto known = remembered()) return callback(std::move(known));
    switch (source()) {
      case CredentialsSource::kEnvironment:
        return callback(remember(from_environment()));
      case CredentialsSource::kFile:
        return callback(remember(from_file()));
      default:
        return exchange(deadline, std::move(callback));
    }
  }

  void forget() override {
    MutexLock lock(mutex_);
    known_.reset();
  }

 private:
  std::string variable(const char* name) const { return options_.environment(name).value_or(""); }

  CredentialsSource source() const {
    if (options_.source != CredentialsSource::kAuto) return options_.source;
    if (!variable("AWS_ACCESS_KEY_ID").empty()) return CredentialsSource::kEnvironment;
    if (!variable("AWS_WEB_IDENTITY_TOKEN_FILE").empty()) return CredentialsSource::kWebIdentity;
    return CredentialsSource::kFile;
  }

  CredentialsPtr remembered() {
    MutexLock lock(mutex_);
    if (known_ && clock_.now() >= read_again_) known_.reset();
    if (known_ && known_->expires && *known_->expires - kRenewBefore <= clock_.system_now())
      known_.reset();
    return known_;
  }

  Result<CredentialsPtr> remember(Result<Credentials> read) {
    if (!read.ok()) return std::move(read).error();
    const bool is_renewed = read->expires.has_value();
    auto known = std::make_shared<const Credentials>(std::move(read).value());
    MutexLock lock(mutex_);
    known_ = known;
    read_again_ = is_renewed ? SteadyTime::max() : clock_.now() + kKeep;
    return CredentialsPtr(std::move(known));
  }

  Result<Credentials> from_environment() const {
    Credentials credentials{.access_key_id = variable("AWS_ACCESS_KEY_ID"),
                            .secret_access_key = Secret(variable("AWS_SECRET_ACCESS_KEY")),
                            .session_token = Secret(variable("AWS_SESSION_TOKEN")),
                            .expires = std::nullopt};
    if (credentials.access_key_id.empty() || credentials.secret_access_key.empty())
      return no_credentials(
          "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set in the environment");
    return credentials;
  }

  Result<Credentials> from_file() const {
    std::string path = options_.file;
    if (path.empty()) path = variable("AWS_SHARED_CREDENTIALS_FILE");
    if (path.empty()) path = variable("HOME") + "/.aws/credentials";
    std::string profile = options_.profile;
    if (profile.empty()) profile = variable("AWS_PROFILE");
    if (profile.empty()) profile = "default";
    auto read = read_credentials_file(path, profile);
    if (read.ok() || options_.source != CredentialsSource::kAuto || !options_.file.empty())
      return read;
    return std::move(read).error().with_context(
        "No credentials for S3 are set: neither AWS_ACCESS_KEY_ID nor "
        "AWS_WEB_IDENTITY_TOKEN_FILE, and no file");
  }

  // One request to STS for all that wait.
  void exchange(Deadline deadline, Callback callback) {
    bool is_first = false, is_full = false;
    {
      MutexLock lock(mutex_);
      is_full = waiting_.size() >= kWaitingMax;
      is_first = waiting_.empty();
      if (!is_full) waiting_.push_back(std::move(callback));
    }
    if (is_full)
      return callback(unavailable("Too many requests wait for credentials of STS")
                          .with_retry_after(std::chrono::seconds(1)));
    if (!is_first) return;
    const WebIdentityOptions options{.role_arn = variable("AWS_ROLE_ARN"),
                                     .token_file = variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
                                     .session_name = variable("AWS_ROLE_SESSION_NAME"),
                                     .endpoint = variable("AWS_ENDPOINT_URL_STS"),
                                     .region = options_.region};
    web_identity_.exchange(options, deadline,
                           [weak = weak_from_this()](Result<Credentials> answer) {
                             if (const auto self = weak.lock()) self->answered(std::move(answer));
                           });
  }

  void answered(Result<Credentials> answer) {
    const Result<CredentialsPtr> result = remember(std::move(answer));
    std::vector<Callback> waiting;
    {
      MutexLock lock(mutex_);
      waiting.swap(waiting_);
    }
    for (const Callback& callback : waiting) callback(result);
  }

  CredentialsOptions options_;
  const Clock& clock_;
  WebIdentity web_identity_;
  Mutex mutex_;
  CredentialsPtr known_ SPANWAY_GUARDED_BY(mutex_);
  SteadyTime read_again_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<Callback> waiting_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<CredentialsProvider> CredentialsProvider::create(CredentialsOptions options,
                                                                 http::IoPool& io,
                                                                 const Clock& clock) {
  return std::make_shared<Provider>(std::move(options), io, clock);
}

}  // namespace spanway::objectstore
