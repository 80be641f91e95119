// Configuration of authentication, tenants and rate limits. Plain values; no
// transport, so that the operator can link them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/secret.h"
#include "services/lib/config/binder.h"

namespace spanway::auth {

enum class AuthMode { kNone, kBearer, kBasic };

struct TokenConfig {
  Secret token;
  std::string token_file;
  std::string tenant;
};
struct UserConfig {
  std::string username;
  Secret password;
  std::string password_file;
  std::string tenant;
};
struct AuthConfig {
  AuthMode mode = AuthMode::kNone;
  std::vector<TokenConfig> tokens;
  std::vector<UserConfig> users;
};

enum class TenantSource { kNone, kHeader, kToken, kCertificate };

struct TenantConfig {
  TenantSource from = TenantSource::kNone;
  std::string header = "x-scope-orgid";
  std::string default_tenant;
  bool required = false;
};

struct TenantRateConfig {
  std::string tenant;
  std::int64_t items_per_second = 0;
  config::ByteSize bytes_per_second = {};
  std::int64_t items_burst = 0;
  config::ByteSize bytes_burst = {};
};
struct RateLimitConfig {
  std::int64_t items_per_second = 0;       // 0 = no limit.
  config::ByteSize bytes_per_second = {};  // 0 = no limit.
  std::int64_t items_burst = 0;            // 0 = one second's worth.
  config::ByteSize bytes_burst = {};       // 0 = one second's worth.
  std::int64_t tenants_max = 10'000;
  std::vector<TenantRateConfig> overrides;
};

void describe(config::Binder& b, AuthConfig& c);
void describe(config::Binder& b, TenantConfig& c);
void describe(config::Binder& b, RateLimitConfig& c);

// The reason why no client could ever send this token, without the token itself; empty = none.
std::string token_problem(std::string_view token);

// Rules that go across keys, of the sections `auth`, `tenant` and `rate_limit`.
// `client_certificates`: clients must show one.
void validate(const AuthConfig& auth, config::Problems& problems);
void validate(const TenantConfig& tenant, const AuthConfig& auth, bool client_certificates,
              config::Problems& problems);
void validate(const RateLimitConfig& c, config::Problems& problems);

}  // namespace spanway::auth
