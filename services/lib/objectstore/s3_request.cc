#include "services/lib/objectstore/s3_request.h"

#include <utility>

#include "services/lib/base/base64.h"
#include "services/lib/objectstore/s3_error.h"

namespace spanway::objectstore {
namespace {

bool is_about_credentials(const Error& error) {
  const std::string_view reason = error.reason;
  return reason == "s3_expired_credentials" || reason == "s3_bad_credentials" ||
         reason == "s3_access_denied";
}

}  // namespace

void S3Sender::send(const std::shared_ptr<S3Sender>& self, S3Request request, Deadline deadline,
                    Callback done) {
  // A std::function is copied, and a body is not.
  auto held = std::make_shared<S3Request>(std::move(request));
  self->credentials_->get(
      deadline, [weak = std::weak_ptr<S3Sender>(self), held, deadline,
                 done = std::move(done)](Result<std::shared_ptr<const Credentials>> credentials) {
        const auto alive = weak.lock();
        if (!alive)
          return done(unavailable("The S3 client was stopped").with_reason("client_closed"));
        if (!credentials.ok())
          return done(std::move(credentials).error().with_context(alive->target_.endpoint));
        alive->send_signed(std::move(*held), **credentials, deadline, done);
      });
}

void S3Sender::send_signed(S3Request request, const Credentials& credentials, Deadline deadline,
                           Callback done) {
  const Sha256 payload = sha256(request.body.view());
  if (request.send_checksum)
    request.headers.add("x-amz-checksum-sha256", encode_base64(view(payload)));
  std::string path = target_.base_path;
  if (!request.key.empty() || path.empty()) path += '/';
  path += encode_key(request.key);
  const std::string query = encode_query(request.query);
  sign(request.method, path, query, payload,
       {.region = target_.region, .service = "s3", .host = target_.host}, credentials,
       clock_.system_now(), request.headers);
  http::ClientRequest outgoing;
  outgoing.method = request.method;
  outgoing.path = query.empty() ? path : path + '?' + query;
  outgoing.headers = std::move(request.headers);
  outgoing.headers.add("user-agent", "spanway");
  outgoing.body = std::move(request.body);
  std::string what = target_.endpoint;
  if (!request.key.empty()) what += '/' + request.key;
  client_->send(std::move(outgoing), deadline, /*idempotent=*/true,
                [credentials = credentials_, &clock = clock_, what = std::move(what),
                 done = std::move(done)](Result<http::Response> answer) {
                  if (!answer.ok()) return done(std::move(answer).error().with_context(what));
                  const bool is_error =
                      answer->status < 200 || answer->status >= 300 || is_failed_success(*answer);
                  if (!is_error) return done(std::move(answer));
                  Error error = s3_error(*answer, clock.system_now()).with_context(what);
                  if (is_about_credentials(error)) credentials->forget();
                  done(std::move(error));
                });
}

}  // namespace spanway::objectstore
