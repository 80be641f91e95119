// Posts bodies to one origin: compression, headers, deadline, and what the HTTP status means.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/secret.h"
#include "services/lib/config/secret_reloader.h"
#include "services/lib/http/client.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/http/tls_reloader.h"
#include "services/lib/pipeline/batch.h"
#include "services/lib/sinks/events.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::sinks {

// The part of their options that all HTTP sinks share.
struct HttpOptions {
  http::ContentCoding compression = http::ContentCoding::kGzip;
  std::map<std::string, Secret> headers;  // Sent with each request; names in any case.
  std::string username;                   // Basic authentication; empty = none.
  Secret password;
  ClientTlsConfig tls;                          // Used when the URL is https.
  Duration timeout = std::chrono::seconds(10);  // For one request.
  // Taken off the batch's deadline, so that the answer is in time one hop further up.
  Duration deadline_margin = std::chrono::milliseconds(200);
  std::size_t connections_max = 8;
  std::size_t in_flight_max = 256;  // Batches; more are refused.
  std::size_t response_bytes_max = 4u << 20;
  // The header that carries the batch's tenant, e.g. "x-scope-orgid", in any case; empty = none.
  std::string tenant_header;
};

struct HttpSinkDeps {
  http::IoPool& io;
  const Clock& clock;
  telemetry::Telemetry telemetry;
};

// The origin and path of a URL without its query, which may hold a token.
std::string printable(const http::Url& url);

// The URL's path with `suffix` behind it and before the query: "/base?key=1" and "/v1/traces" =
// "/base/v1/traces?key=1".
std::string append_path(std::string_view path, std::string_view suffix);

// FAILED_PRECONDITION, configuration: a 2xx that does not come from what the sink speaks to.
Error not_the_api(const http::Response& response);

// Thread-safe. Callbacks may run after the poster is gone, or never (they are destroyed then): they
// own what they touch.
class HttpPoster {
 public:
  struct Request {
    std::string path;  // Empty = the URL's path.
    std::string content_type;
    Bytes body;
    // The coding of a body that is compressed already ("gzip"); empty = the poster compresses it.
    std::string content_encoding = {};
    // More headers; names in lower case.
    http::Headers headers = {};
    // Answers of these statuses are handed over as they are, for a destination whose refusals say
    // more; null = none.
    bool (*passes)(int status) = nullptr;
  };
  // The answer of a 2xx, or the Error that status_map makes of any other. A web page is no answer
  // of an API, whatever its status: CONFIGURATION.
  using Callback = std::function<void(Result<http::Response>)>;

  static Result<std::unique_ptr<HttpPoster>> create(http::Url url, const HttpOptions& options,
                                                    const HttpSinkDeps& deps);
  ~HttpPoster();

  // Compresses on the calling thread. `permit` covers the body; it is grown while both forms of the
  // body are held, and refused (RESOURCE_EXHAUSTED, transient) when that is not possible.
  // `deadline` is the batch's. An error = nothing was sent and the callback is not called.
  Status post(Request request, const pipeline::Metadata& metadata, Permit& permit,
              Deadline deadline, Callback callback);
  std::shared_ptr<const HttpEvents> shared_events() const noexcept;
  // Printable, for messages.
  const std::string& endpoint() const noexcept;

 private:
  struct Shared;
  HttpPoster(http::Url url, HttpOptions options, const HttpSinkDeps& deps);
  static config::SecretReloader::Checks header_checks(const char* section, const Shared& shared);
  Status compress(Request& request, Permit& permit) const;
  http::Headers headers_for(const Request& request, const pipeline::Metadata& metadata) const;

  const http::Url url_;
  const HttpOptions options_;
  const std::shared_ptr<Shared> shared_;
  const config::SecretReloader headers_, password_;  // Those of the options.
  const telemetry::CredentialRefresher refresher_;
  std::unique_ptr<http::TlsReloader> tls_reloader_;  // Null without TLS.
  std::unique_ptr<http::Client> client_;
};

}  // namespace spanway::sinks
