#include "services/lib/sinks/http_poster.h"

#include <utility>

#include "services/lib/otlp/status_map.h"
#include "services/lib/sinks/delivery.h"

namespace spanway::sinks {
namespace {

constexpr Duration kTlsReloadInterval = std::chrono::seconds(60);
// What gzip and zstd may add to a body that cannot be compressed.
constexpr std::size_t kCompressionOverhead = 4096;

// Ends by itself once the poster is gone.
void reload_tls_later(std::weak_ptr<http::TlsClientContext> tls, Executor& executor,
                      std::shared_ptr<const HttpEvents> events) {
  executor.post_after(kTlsReloadInterval, [tls, &executor, events] {
    const auto alive = tls.lock();
    if (!alive) return;
    if (const auto reloaded = alive->reload(); !reloaded.ok())
      events->tls_reload_failed(reloaded.error());
    reload_tls_later(tls, executor, events);
  });
}

}  // namespace

struct HttpPoster::Shared {
  Shared(const Clock& c, telemetry::Telemetry telemetry, std::string name)
      : clock(c),
        endpoint(std::move(name)),
        events(std::make_shared<const HttpEvents>(telemetry, endpoint)) {}
  const Clock& clock;
  const std::string endpoint;
  const std::shared_ptr<const HttpEvents> events;
  std::shared_ptr<http::TlsClientContext> tls;

  // What an answer, or the lack of one, means.
  Result<http::Response> judge(Result<http::Response> answer) const {
    if (!answer.ok()) return std::move(answer).error().with_context(endpoint);
    http::Response& response = answer.value();
    if (response.status >= 200 && response.status < 300) return std::move(answer).value();
    return otlp::error_from_http(response.status, response.headers.get("retry-after"),
                                 response.body.view(), clock.system_now())
        .with_context(endpoint);
  }
};

std::string printable(const http::Url& url) {
  const bool is_v6 = url.host.find(':') != std::string::npos && url.host.front() != '[';
  return std::string(url.https ? "https://" : "http://") + (is_v6 ? "[" : "") + url.host +
         (is_v6 ? "]" : "") + ":" + std::to_string(url.port) +
         url.path.substr(0, url.path.find('?'));
}

Result<std::unique_ptr<HttpPoster>> HttpPoster::create(http::Url url, const HttpOptions& options,
                                                       const HttpSinkDeps& deps) {
  std::unique_ptr<HttpPoster> poster(new HttpPoster(url, options, deps));
  const auto& shared = poster->shared_;
  if (url.https) {
    SPANWAY_ASSIGN(shared->tls, http::TlsClientContext::create(options.tls));
    reload_tls_later(shared->tls, deps.io.executor(0), shared->events);
  }
  http::ClientOptions client;
  client.connections_max = options.connections_max;
  client.waiting_max = options.in_flight_max;
  client.response_bytes_max = options.response_bytes_max;
  // A refusal stays what its status says, and a 2xx an acceptance, however long the text is.
  client.cut_large_answers = true;
  SPANWAY_ASSIGN(poster->client_,
                 http::Client::create(std::move(url), client, shared->tls, deps.io));
  return poster;
}

HttpPoster::HttpPoster(http::Url url, const HttpOptions& options, const HttpSinkDeps& deps)
    : url_(std::move(url)),
      options_(options),
      shared_(std::make_shared<Shared>(deps.clock, deps.telemetry, printable(url_))) {}

HttpPoster::~HttpPoster() = default;

std::shared_ptr<const HttpEvents> HttpPoster::shared_events() const noexcept {
  return shared_->events;
}

Status HttpPoster::compress(Request& request, Permit& permit) const {
  if (options_.compression == http::ContentCoding::kIdentity) return {};
  const std::size_t held = permit.bytes();
  if (!permit.grow_to(held + request.body.size() + kCompressionOverhead))
    return no_memory("compress a request");
  SPANWAY_ASSIGN(Bytes compressed, http::encode(options_.compression, request.body.view()));
  request.body = std::move(compressed);
  permit.shrink_to(held);
  return {};
}

http::Headers HttpPoster::headers_for(const Request& request,
                                      const pipeline::Metadata& metadata) const {
  http::Headers headers;
  headers.add("content-type", request.content_type);
  if (options_.compression != http::ContentCoding::kIdentity)
    headers.add("content-encoding", std::string(http::to_string(options_.compression)));
  headers.add("user-agent", "spanway");
  if (!options_.tenant_header.empty() && !metadata.tenant.empty())
    headers.add(options_.tenant_header, metadata.tenant);
  for (const auto& [name, value] : options_.headers) headers.add(name, value.reveal());
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
  shared_->events->sent(outgoing.body.size());
  // A request that found its kept-alive connection closed is sent again: the bridge delivers at
  // least once anyway.
  client_->send(
      std::move(outgoing), deadline, /*idempotent=*/true,
      [shared = shared_, start, callback = std::move(callback)](Result<http::Response> answer) {
        const std::chrono::duration<double> took = shared->clock.now() - start;
        shared->events->answered(answer.ok() ? answer->status : 0, took.count());
        callback(shared->judge(std::move(answer)));
      });
  return {};
}

}  // namespace spanway::sinks
