#include "services/lib/config/endpoint.h"
#include "services/lib/http/client.h"

namespace spanway::http {

Result<Url> Url::parse(std::string_view text) {
  config::UrlParts parts;
  if (const std::string problem = config::parse_url(text, parts); !problem.empty()) {
    // The text is not repeated: it may hold a password.
    return configuration_error(Code::kInvalidArgument, "the URL " + problem)
        .with_reason("url_invalid");
  }
  return Url{.https = parts.https,
             .host = std::move(parts.host),
             .port = parts.port,
             .path = std::move(parts.path)};
}

}  // namespace spanway::http
