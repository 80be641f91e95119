#include "services/lib/auth/authenticator.h"

#include <algorithm>
#include <array>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/base/base64.h"
#include "services/lib/base/file.h"
#include "services/lib/config/secret_reloader.h"

namespace spanway::auth {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

Error unauthenticated(std::string message, const char* reason) {
  return configuration_error(Code::kUnauthenticated, std::move(message)).with_reason(reason);
}

// The text behind "<scheme> "; the scheme in any case, one or more spaces.
std::optional<std::string_view> after_scheme(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size()) return std::nullopt;
  if (!equals_ignoring_case(header.substr(0, scheme.size()), scheme)) return std::nullopt;
  if (header[scheme.size()] != ' ') return std::nullopt;
  const std::size_t begin = header.find_first_not_of(' ', scheme.size());
  if (begin == std::string_view::npos) return std::nullopt;
  return header.substr(begin);
}

}  // namespace

std::optional<std::string> read_small_file(const std::string& path) {
  auto text = read_file(path, kFileBytesMax);
  if (!text.ok()) return std::nullopt;
  return std::move(text).value();
}

Authenticator::Authenticator(AuthConfig config, ReadFile read_file, KeyedHash::Key key)
    : config_(std::move(config)), read_file_(std::move(read_file)), hash_(key) {}

Result<std::unique_ptr<Authenticator>> Authenticator::create(AuthConfig config, ReadFile read_file,
                                                             KeyedHash::Key key) {
  std::unique_ptr<Authenticator> self(
      new Authenticator(std::move(config), std::move(read_file), key));
  SPANWAY_ASSIGN(auto table, self->read_table());
  {
    MutexLock lock(self->mutex_);
    self->table_ = std::move(table);
  }
  return self;
}

Result<Secret> Authenticator::read_secret(const Secret& value, const std::string& file_key,
                                          const std::string& path) const {
  if (file_key.empty() && !value.file().empty()) {
    SPANWAY_ASSIGN(const std::string text, config::read_again(value, path, read_file_));
    return Secret(std::string(trim(text, kWhiteSpace)));
  }
  if (file_key.empty()) {
    // Validation refuses this, but an empty secret must never authenticate a client.
    if (value.empty())
      return configuration_error(Code::kInvalidArgument, path + ": is empty; write a credential");
    return value;
  }
  const std::string key = path + "_file";
  const std::optional<std::string> text = read_file_(file_key);
  if (!text)
    return configuration_error(Code::kNotFound, key + ": cannot read " + file_key +
                                                    " (64 KiB at most); check the path and its "
                                                    "permissions");
  std::string secret(trim(*text, kWhiteSpace));
  if (secret.empty())
    return configuration_error(Code::kInvalidArgument,
                               key + ": " + file_key + " holds no credential; write one into it");
  return Secret(std::move(secret));
}

Status Authenticator::add(Table& table, Secret credential, std::string tenant,
                          const std::string& name) const {
  const KeyedHash::Digest digest = hash_(credential.reveal());
  for (const Entry& entry : table)
    if (entry.digest == digest)
      return configuration_error(Code::kAlreadyExists,
                                 name +
                                     ": is the same credential as another entry; remove one of "
                                     "them");
  table.push_back({digest, std::move(credential), std::move(tenant)});
  return ok_status();
}

Result<std::shared_ptr<const Authenticator::Table>> Authenticator::read_table() const {
  auto table = std::make_shared<Table>();
  if (config_.mode == AuthMode::kBearer) {
    for (std::size_t i = 0; i < config_.tokens.size(); ++i) {
      const TokenConfig& token = config_.tokens[i];
      const std::string path = "auth.tokens[" + std::to_string(i) + "]";
      SPANWAY_ASSIGN(Secret secret, read_secret(token.token, token.token_file, path + ".token"));
      if (const std::string problem = token_problem(secret.reveal()); !problem.empty())
        return configuration_error(
            Code::kInvalidArgument,
            path + (token.token_file.empty() ? ".token: " : ".token_file: ") + problem);
      SPANWAY_TRY(add(*table, std::move(secret), token.tenant, path));
    }
  } else if (config_.mode == AuthMode::kBasic) {
    for (std::size_t i = 0; i < config_.users.size(); ++i) {
      const UserConfig& user = config_.users[i];
      const std::string path = "auth.users[" + std::to_string(i) + "]";
      SPANWAY_ASSIGN(const Secret password,
                     read_secret(user.password, user.password_file, path + ".password"));
      SPANWAY_TRY(add(*table, Secret(user.username + ":" + password.reveal()), user.tenant, path));
    }
  }
  if (config_.mode != AuthMode::kNone && table->empty())
    return configuration_error(Code::kInvalidArgument,
                               "auth: no credential is configured, so no client could send");
  return std::shared_ptr<const Table>(std::move(table));
}

std::optional<Identity> Authenticator::find(std::string_view credential) const {
  std::shared_ptr<const Table> table;
  {
    MutexLock lock(mutex_);
    table = table_;
  }
  const KeyedHash::Digest digest = hash_(credential);
  // Every entry is compared, so that the time does not reveal which one came close.
  const Entry* match = nullptr;
  for (const Entry& entry : *table) {
    const std::uint64_t difference = (entry.digest[0] ^ digest[0]) | (entry.digest[1] ^ digest[1]);
    if (difference == 0) match = &entry;
  }
  if (match == nullptr || !equal_in_constant_time(match->credential.reveal(), credential))
    return std::nullopt;
  return Identity{match->tenant};
}

Result<Identity> Authenticator::authenticate(const http::RequestHead& head) const {
  if (config_.mode == AuthMode::kNone) return Identity{};
  const std::size_t count = head.headers.count("authorization");
  if (count == 0)
    return unauthenticated("no authorization header: send the token or user of this ingress",
                           "auth_missing");
  if (count > 1)
    return unauthenticated("more than one authorization header", "auth_duplicate_header");
  const std::string_view header = head.headers.get("authorization");
  const bool bearer = config_.mode == AuthMode::kBearer;
  const auto sent = after_scheme(header, bearer ? "bearer" : "basic");
  if (!sent)
    return unauthenticated(std::string("the authorization header does not have the form '") +
                               (bearer ? "Bearer <token>'" : "Basic <base64 of user:password>'"),
                           "auth_scheme");
  std::optional<Identity> identity;
  if (bearer) {
    identity = find(*sent);
  } else if (const auto decoded = decode_base64(*sent);
             decoded && encode_base64(*decoded) == *sent) {
    // Two spellings of one credential would be two credentials.
    identity = find(*decoded);
  }
  if (!identity)
    return unauthenticated("the credentials are not known here", "auth_unknown_credential");
  return *std::move(identity);
}

Result<bool> Authenticator::reload() {
  SPANWAY_ASSIGN(auto fresh, read_table());
  MutexLock lock(mutex_);
  const bool same =
      std::equal(fresh->begin(), fresh->end(), table_->begin(), table_->end(),
                 [](const Entry& a, const Entry& b) { return a.credential == b.credential; });
  if (same) return false;
  table_ = std::move(fresh);
  return true;
}

std::string_view Authenticator::challenge() const noexcept {
  switch (config_.mode) {
    case AuthMode::kNone:
      break;
    case AuthMode::kBearer:
      return "Bearer realm=\"spanway\"";
    case AuthMode::kBasic:
      return "Basic realm=\"spanway\", charset=\"UTF-8\"";
  }
  return "";
}

}  // namespace spanway::auth
