#include "services/lib/sinks/http_poster.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/base/base64.h"
#include "services/lib/config/endpoint.h"
#include "services/lib/otlp/status_map.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {
namespace {

// The bytes that gzip and zstd may add to a body that cannot be compressed.
constexpr std::size_t kCompressionOverhead = 4096;

bool is_web_page(const http::Response& response) {
  return !response.body.empty() &&
         to_lower(response.headers.get("content-type")).starts_with("text/html");
}

// The redirect target, without the query, which may hold a token. Redirects are not followed: the
// body would go to a server that is not configured.
std::string redirect_text(const http::Response& response) {
  constexpr std::size_t kTargetBytesMax = 256;
  const std::string_view location = response.headers.get("location");
  std::string target;
  for (const char c : location.substr(0, std::min(location.find('?'), kTargetBytesMax)))
    target += c > ' ' && c < '\x7f' ? c : '?';
  if (target.empty()) return ", a redirect that names no target";
  return ", a redirect to " + target + "; redirects are not followed: set the endpoint to it";
}

Status check_headers(const HttpOptions& options) {
  const auto problem_of = [](const std::string& name, const std::string& problem) -> Status {
    if (problem.empty()) return ok_status();
    return configuration_error(Code::kInvalidArgument, "the header '" + name + "' " + problem)
        .with_reason("bad_configuration");
  };
  constexpr auto kUse = config::HeaderUse::kHttp;
  for (const auto& [name, value] : options.headers) {
    SPANWAY_TRY(problem_of(name, config::header_name_problem(name, kUse)));
    SPANWAY_TRY(problem_of(name, config::header_value_problem(value.reveal(), kUse)));
  }
  if (options.tenant_header.empty()) return ok_status();
  return problem_of(options.tenant_header,
                    config::header_name_problem(options.tenant_header, kUse));
}

HttpOptions with_lower_names(HttpOptions options) {
  std::map<std::string, Secret> lowered;
  for (auto& [name, value] : options.headers)
    lowered.insert_or_assign(to_lower(name), std::move(value));
  options.headers = std::move(lowered);
  options.tenant_header = to_lower(options.tenant_header);
  return options;
}

}  // namespace

Error not_the_api(const http::Response& response) {
  constexpr std::size_t kTypeBytesMax = 64;
  std::string type(response.headers.get("content-type").substr(0, kTypeBytesMax));
  return configuration_error(
             Code::kFailedPrecondition,
             "HTTP " + std::to_string(response.status) + " with a body of " +
                 std::to_string(response.body.size()) + " bytes" +
                 (type.empty() ? "" : " of type " + type) +
                 " that is no answer of this API: something else is served there; check the "
                 "endpoint and its path")
      .with_reason("not_the_api");
}

struct HttpPoster::Shared {
  Shared(const Clock& c, telemetry::Telemetry telemetry, std::string name)
      : clock(c),
        endpoint(std::move(name)),
        events(std::make_shared<const HttpEvents>(telemetry, endpoint)) {}
  const Clock& clock;
  const std::string endpoint;
  const std::shared_ptr<const HttpEvents> events;

  // The meaning of an answer, or of the lack of one.
  Result<http::Response> check_answer(Result<http::Response> answer,
                                      bool (*passes)(int status)) const {
    if (!answer.ok()) return std::move(answer).error().with_context(endpoint);
    http::Response& response = answer.value();
    if (passes != nullptr && passes(response.status)) return std::move(answer).value();
    if (response.status >= 200 && response.status < 300) {
      if (is_web_page(response)) return not_the_api(response).with_context(endpoint);
      return std::move(answer).value();
    }
    Error error = otlp::error_from_http(response.status, response.headers.get("retry-after"),
                                        response.body.view(), clock.system_now());
    if (response.status >= 300 && response.status < 400) error.message += redirect_text(response);
    return std::move(error).with_context(endpoint);
  }
};

config::SecretReloader::Checks HttpPoster::header_checks(const char* section,
                                                         const Shared& shared) {
  return {section, config::HeaderUse::kHttp,
          [events = shared.events](const std::string& key, const Status& read) {
            events->secret_read(key, read);
          }};
}

std::string append_path(std::string_view path, std::string_view suffix) {
  const std::size_t question = path.find('?');
  const std::string_view base = path.substr(0, question);
  std::string result = std::string(trim_end(base, "/")) + std::string(suffix);
  if (question != std::string_view::npos) result += path.substr(question);
  return result;
}

std::string printable(const http::Url& url) {
  const bool is_v6 = url.host.find(':') != std::string::npos && url.host.front() != '[';
  return std::string(url.https ? "https://" : "http://") + (is_v6 ? "[" : "") + url.host +
         (is_v6 ? "]" : "") + ":" + std::to_string(url.port) +
         url.path.substr(0, url.path.find('?'));
}

Result<std::unique_ptr<HttpPoster>> HttpPoster::create(http::Url url, const HttpOptions& options,
                                                       const HttpSinkDeps& deps) {
  SPANWAY_TRY(check_headers(options));
  std::unique_ptr<HttpPoster> poster(new HttpPoster(url, with_lower_names(options), deps));
  const auto& shared = poster->shared_;
  std::shared_ptr<http::TlsClientContext> tls;
  if (url.https) {
    SPANWAY_ASSIGN(tls, http::TlsClientContext::create(options.tls));
    poster->tls_reloader_ = std::make_unique<http::TlsReloader>(
        [tls] { return tls->reload(); },
        [events = shared->events](const Result<bool>& read) { events->tls_read(read); },
        deps.io.executor(0), http::kClientTlsReloadInterval);
  }
  http::ClientOptions client;
  client.connections_max = options.connections_max;
  client.waiting_max = options.in_flight_max;
  client.response_bytes_max = options.response_bytes_max;
  // A refusal stays what its status says, and a 2xx an acceptance, however long the text is.
  client.truncate_large_responses = true;
  SPANWAY_ASSIGN(poster->client_,
                 http::Client::create(std::move(url), client, std::move(tls), deps.io));
  return poster;
}

HttpPoster::HttpPoster(http::Url url, HttpOptions options, const HttpSinkDeps& deps)
    : url_(std::move(url)),
      options_(std::move(options)),
      shared_(std::make_shared<Shared>(deps.clock, deps.telemetry, printable(url_))),
      headers_(options_.headers, header_checks("headers.", *shared_), deps.clock),
      password_({{"password", options_.password}}, header_checks("basic_auth.", *shared_),
                deps.clock),
      refresher_(deps.telemetry.credentials, [this] {
        (void)headers_.values();
        (void)password_.values();
      }) {}

HttpPoster::~HttpPoster() = default;

std::shared_ptr<const HttpEvents> HttpPoster::shared_events() const noexcept {
  return shared_->events;
}

const std::string& HttpPoster::endpoint() const noexcept { return shared_->endpoint; }

Status HttpPoster::compress(Request& request, Permit& permit) const {
  if (!request.content_encoding.empty() || options_.compression == http::ContentCoding::kIdentity)
    return {};
  const std::size_t held = permit.bytes();
  if (!permit.grow_to(held + request.body.size() + kCompressionOverhead))
    return no_memory("compress a request");
  SPANWAY_ASSIGN(Bytes compressed, http::encode(options_.compression, request.body.view()));
  request.body = std::move(compressed);
  request.content_encoding = http::to_string(options_.compression);
  permit.shrink_to(held);
  return {};
}

http::Headers HttpPoster::headers_for(const Request& request,
                                      const pipeline::Metadata& metadata) const {
  http::Headers headers;
  headers.add("content-type", request.content_type);
  if (!request.content_encoding.empty()) headers.add("content-encoding", request.content_encoding);
  headers.add("user-agent", "spanway");
  for (const auto& [name, value] : request.headers.fields()) headers.add(name, value);
  if (!options_.tenant_header.empty() && !metadata.tenant.empty())
    headers.add(options_.tenant_header, metadata.tenant);
  for (const auto& [name, value] : *headers_.values()) headers.add(name, value.reveal());
  if (!options_.username.empty()) {
    const auto secrets = password_.values();
    headers.add("authorization", "Basic " + encode_base64(options_.username + ":" +
                                                          secrets->at("password").reveal()));
  }
  return headers;
}

Status HttpPoster::post(Request request, const pipeline::Metadata& metadata, Permit& permit,
                        Deadline deadline, Callback callback) {
  const SteadyTime start = shared_->clock.now();
  deadline =
      deadline.less(options_.deadline_margin).earlier(Deadline::at(start + options_.timeout));
  if (deadline.passed(start)) return deadline_passed(shared_->endpoint);
  SPANWAY_TRY(compress(request, permit));

  http::ClientRequest outgoing;
  outgoing.path = std::move(request.path);
  outgoing.headers = headers_for(request, metadata);
  outgoing.body = std::move(request.body);
  outgoing.share = metadata.tenant;
  shared_->events->sent(outgoing.body.size());
  // A request that found its kept-alive connection closed is sent again: the bridge delivers at
  // least once anyway.
  client_->send(std::move(outgoing), deadline, /*idempotent=*/true,
                [shared = shared_, start, passes = request.passes,
                 callback = std::move(callback)](Result<http::Response> answer) {
                  const std::chrono::duration<double> took = shared->clock.now() - start;
                  shared->events->answered(answer.ok() ? answer->status : 0, took.count());
                  callback(shared->check_answer(std::move(answer), passes));
                });
  return {};
}

}  // namespace spanway::sinks
