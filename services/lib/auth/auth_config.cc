#include "services/lib/auth/auth_config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/config/endpoint.h"

namespace spanway::auth {

using config::Binder;
using config::Problems;

namespace {

constexpr const char* kTenantPattern = "[A-Za-z0-9_-]{1,64}";
constexpr const char* kTenantOrEmptyPattern = "[A-Za-z0-9_-]{0,64}";
constexpr const char* kHeaderNamePattern = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}";

}  // namespace

// Not in the unnamed namespace: the binder finds them next to their types.
static void describe(Binder& b, TokenConfig& c) {
  b.key("token", c.token,
        {.doc = "The token. Either this or token_file; from ${file:path} it is re-read as from "
                "token_file.",
         .reread = true});
  b.key("token_file", c.token_file,
        {.doc = "File that holds the token; re-read when it changes. White space around the token "
                "is removed."});
  b.key(
      "tenant", c.tenant,
      {.doc = "Tenant of this token, with tenant.from = token.", .pattern = kTenantOrEmptyPattern});
}

static void describe(Binder& b, UserConfig& c) {
  b.key("username", c.username, {.doc = "Name of the user; no colon.", .required = true});
  b.key("password", c.password,
        {.doc = "The password. Either this or password_file; from ${file:path} it is re-read as "
                "from password_file.",
         .reread = true});
  b.key("password_file", c.password_file,
        {.doc = "File that holds the password; re-read when it changes."});
  b.key(
      "tenant", c.tenant,
      {.doc = "Tenant of this user, with tenant.from = token.", .pattern = kTenantOrEmptyPattern});
}

void describe(Binder& b, AuthConfig& c) {
  b.key("mode", c.mode, {"none", "bearer", "basic"},
        {.doc = "How clients prove who they are. With bearer and basic, other clients are "
                "refused."});
  b.list("tokens", c.tokens, "Accepted tokens, with mode bearer.");
  b.list("users", c.users, "Accepted users, with mode basic.");
}

void describe(Binder& b, TenantConfig& c) {
  b.key("from", c.from, {"none", "header", "token", "certificate"},
        {.doc = "Where the tenant of a request is taken from: nowhere, a header the client sends, "
                "the token or user it proved, or the common name of its certificate."});
  b.key("header", c.header,
        {.doc = "Header with the tenant, with from = header; the case makes no difference.",
         .pattern = kHeaderNamePattern});
  b.key("default", c.default_tenant,
        {.doc = "Tenant of requests that name none.", .pattern = kTenantOrEmptyPattern});
  b.key("required", c.required,
        {.doc = "Refuse requests without a tenant when there is no default."});
}

static void describe(Binder& b, TenantRateConfig& c) {
  b.key("tenant", c.tenant,
        {.doc = "The tenant these limits are for.", .required = true, .pattern = kTenantPattern});
  b.key("items_per_second", c.items_per_second, {.doc = "As above; 0 = no limit.", .min = 0});
  b.key("bytes_per_second", c.bytes_per_second, {.doc = "As above; 0 = no limit."});
  b.key("items_burst", c.items_burst, {.doc = "As above.", .min = 0});
  b.key("bytes_burst", c.bytes_burst, {.doc = "As above."});
}

void describe(Binder& b, RateLimitConfig& c) {
  b.key("items_per_second", c.items_per_second,
        {.doc = "Spans, data points and log records a tenant may send per second, together and "
                "per replica; 0 = no limit.",
         .min = 0});
  b.key("bytes_per_second", c.bytes_per_second,
        {.doc = "Uncompressed bytes a tenant may send per second; 0 = no limit."});
  b.key(
      "items_burst", c.items_burst,
      {.doc = "Items a tenant may send at once after a pause; 0 = one second's worth.", .min = 0});
  b.key("bytes_burst", c.bytes_burst,
        {.doc = "Bytes a tenant may send at once after a pause; 0 = one second's worth."});
  b.key("tenants_max", c.tenants_max,
        {.doc = "Tenants that are counted apart. Further ones share one allowance until an idle "
                "one is forgotten.",
         .min = 1,
         .max = 1'000'000});
  b.list("overrides", c.overrides, "Limits of single tenants, in place of the ones above.");
}

std::string token_problem(std::string_view token) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
  if (std::any_of(token.begin(), token.end(), is_control))
    return "holds a line break or another control character, which no header can carry: write the "
           "token alone, on one line";
  if (token.starts_with(' ') || token.ends_with(' '))
    return "begins or ends with a space, which HTTP takes off a header: remove it";
  return "";
}

namespace {

void validate_tokens(const AuthConfig& auth, Problems& problems) {
  for (std::size_t i = 0; i < auth.tokens.size(); ++i) {
    const TokenConfig& token = auth.tokens[i];
    const std::string path = "auth.tokens[" + std::to_string(i) + "]";
    if (token.token.empty() == token.token_file.empty())
      problems.add(path, "needs exactly one of token and token_file, and a token is never empty");
    if (std::string problem = token_problem(token.token.reveal()); !problem.empty())
      problems.add(path + ".token", std::move(problem));
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < auth.users.size(); ++i) {
    const UserConfig& user = auth.users[i];
    const std::string path = "auth.users[" + std::to_string(i) + "]";
    if (user.username.empty() || user.username.find(':') != std::string::npos)
      problems.add(path + ".username", "must not be empty and must not hold a colon");
    if (!names.insert(user.username).second)
      problems.add(path + ".username", "is listed twice in auth.users");
    if (user.password.empty() == user.password_file.empty())
      problems.add(path, "needs exactly one of password and password_file");
  }
}

}  // namespace

void validate(const AuthConfig& auth, Problems& problems) {
  if (auth.mode == AuthMode::kBearer && auth.tokens.empty())
    problems.add("auth.tokens",
                 "is empty with auth.mode bearer: no client could send. List a token");
  if (auth.mode == AuthMode::kBasic && auth.users.empty())
    problems.add("auth.users", "is empty with auth.mode basic: no client could send. List a user");
  if (auth.mode != AuthMode::kBearer && !auth.tokens.empty())
    problems.add("auth.mode", "is not bearer, yet auth.tokens is set: nothing would check them");
  if (auth.mode != AuthMode::kBasic && !auth.users.empty())
    problems.add("auth.mode", "is not basic, yet auth.users is set: nothing would check them");
  validate_tokens(auth, problems);
}

void validate(const TenantConfig& tenant, const AuthConfig& auth, bool client_certificates,
              Problems& problems) {
  if (tenant.from == TenantSource::kToken && auth.mode == AuthMode::kNone)
    problems.add("tenant.from", "is token, which needs auth.mode bearer or basic");
  if (tenant.from == TenantSource::kCertificate && !client_certificates)
    problems.add("tenant.from", "is certificate, which needs otlp.tls.client_ca_file");
  if (tenant.required && tenant.from == TenantSource::kNone && tenant.default_tenant.empty())
    problems.add("tenant.required", "can never be met: set tenant.from or tenant.default");
  if (config::is_protocol_header(tenant.header))
    problems.add(
        "tenant.header",
        "has a meaning of its own in HTTP or gRPC and cannot name a tenant: choose another, "
        "such as x-scope-orgid");
  if (to_lower(tenant.header).starts_with("spanway-"))
    problems.add("tenant.header",
                 "must not start with spanway-: those names are for Spanway's own "
                 "services");
  const auto has_tenant = [](const auto& entry) { return !entry.tenant.empty(); };
  const bool any = std::any_of(auth.tokens.begin(), auth.tokens.end(), has_tenant) ||
                   std::any_of(auth.users.begin(), auth.users.end(), has_tenant);
  if (any && tenant.from != TenantSource::kToken)
    problems.add("tenant.from",
                 "is not token, yet tokens or users in auth have a tenant, which "
                 "would not bind them: set it to token or drop those tenants");
}

void validate(const RateLimitConfig& c, Problems& problems) {
  std::set<std::string> tenants;
  for (const TenantRateConfig& rate : c.overrides)
    if (!tenants.insert(rate.tenant).second)
      problems.add("rate_limit.overrides", "tenant '" + rate.tenant + "' is listed twice");
}

}  // namespace spanway::auth
