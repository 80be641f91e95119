#include "services/lib/objectstore/web_identity.h"

#include <ctime>
#include <pugixml.hpp>
#include <utility>

#include "services/lib/http/client.h"
#include "services/lib/objectstore/credentials_file.h"
#include "services/lib/objectstore/s3_error.h"
#include "services/lib/objectstore/sigv4.h"

namespace spanway::objectstore {
namespace {

constexpr const char* kDefaultSession = "spanway";
constexpr std::size_t kAnswerBytesMax = 256u << 10;

std::optional<SystemTime> parse_time(const char* text) {
  std::tm parts = {};
  if (strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return std::nullopt;
  return SystemTime(std::chrono::seconds(timegm(&parts)));
}

Result<Credentials> parse_answer(std::string_view body) {
  pugi::xml_document document;
  document.load_buffer(body.data(), body.size());
  const pugi::xml_node found = document.child("AssumeRoleWithWebIdentityResponse")
                                   .child("AssumeRoleWithWebIdentityResult")
                                   .child("Credentials");
  Credentials credentials{
      .access_key_id = found.child_value("AccessKeyId"),
      .secret_access_key = Secret(found.child_value("SecretAccessKey")),
      .session_token = Secret(found.child_value("SessionToken")),
      .expires = parse_time(found.child_value("Expiration")),
  };
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty() ||
      !credentials.expires)
    return configuration_error(Code::kFailedPrecondition,
                               "The answer of STS holds no credentials: something else is served "
                               "at its endpoint")
        .with_reason("not_the_api");
  return credentials;
}

Result<std::string> form(const WebIdentityOptions& options) {
  if (options.role_arn.empty() || options.token_file.empty())
    return configuration_error(Code::kUnauthenticated,
                               "AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE must both be set for "
                               "credentials by web identity")
        .with_reason("s3_no_credentials");
  SPANWAY_ASSIGN(const std::string token, read_secret_file(options.token_file));
  return encode_query(
      {{"Action", "AssumeRoleWithWebIdentity"},
       {"Version", "2011-06-15"},
       {"RoleArn", options.role_arn},
       {"RoleSessionName", options.session_name.empty() ? kDefaultSession : options.session_name},
       {"WebIdentityToken", token.substr(0, token.find_last_not_of(" \r\n") + 1)}});
}

}  // namespace

Result<http::Client*> WebIdentity::client(const std::string& endpoint) {
  MutexLock lock(mutex_);
  if (client_) return client_.get();
  SPANWAY_ASSIGN(http::Url url, http::Url::parse(endpoint));
  std::shared_ptr<http::TlsClientContext> tls;
  if (url.https) {
    SPANWAY_ASSIGN(tls, http::TlsClientContext::create(ClientTlsConfig{}));
  }
  http::ClientOptions options;
  options.connections_max = 1;
  options.waiting_max = 4;
  options.response_bytes_max = kAnswerBytesMax;
  options.truncate_large_responses = true;
  SPANWAY_ASSIGN(client_, http::Client::create(std::move(url), options, std::move(tls), io_));
  return client_.get();
}

void WebIdentity::exchange(const WebIdentityOptions& options, Deadline deadline,
                           std::function<void(Result<Credentials>)> done) {
  auto body = form(options);
  if (!body.ok()) return done(std::move(body).error());
  auto sts = client(options.endpoint.empty() ? "https://sts." + options.region + ".amazonaws.com"
                                             : options.endpoint);
  if (!sts.ok()) return done(std::move(sts).error().with_context("STS"));
  http::ClientRequest request;
  request.headers.add("content-type", "application/x-www-form-urlencoded");
  request.headers.add("user-agent", "spanway");
  request.body = Bytes(*body);
  (*sts)->send(std::move(request), deadline, /*idempotent=*/true,
               [&clock = clock_, done = std::move(done)](Result<http::Response> answer) {
                 if (!answer.ok()) return done(std::move(answer).error().with_context("STS"));
                 if (answer->status == 200) return done(parse_answer(answer->body.view()));
                 done(s3_error(*answer, clock.system_now())
                          .with_context("STS refuses the web identity token"));
               });
}

}  // namespace spanway::objectstore
