#include "services/query/web/asset_handler.h"

#include <string>
#include <utility>

#include "services/lib/http/accept_encoding.h"
#include "services/lib/http/content_coding.h"

namespace spanway::query::web {
namespace {

constexpr int kOk = 200, kNotModified = 304, kNotFound = 404, kMethodNotAllowed = 405,
              kInternal = 500;
constexpr std::string_view kPage = "/", kFolder = "/assets/";
// Nothing from elsewhere, nothing inline, and no other page may frame it.
constexpr const char* kPolicy =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'";
// Files below /assets/ have the hash of all files in their path; the page itself names that path.
constexpr const char* kForEver = "public, max-age=31536000, immutable";
constexpr const char* kRevalidate = "no-cache";

http::Response text_answer(int status, std::string_view text) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", "text/plain; charset=utf-8");
  response.headers.add("cache-control", "no-store");
  response.body = Bytes(text);
  return response;
}

std::string tag_of(const Asset& asset) { return "W/\"" + std::string(asset.hash) + "\""; }

// If-None-Match, compared weakly.
bool has_it(std::string_view if_none_match, const Asset& asset) {
  return if_none_match == "*" ||
         if_none_match.find("\"" + std::string(asset.hash) + "\"") != std::string_view::npos;
}

std::optional<Bytes> decoded(const Asset& asset) {
  Bytes out;
  const auto decoder =
      http::Decoder::create(http::ContentCoding::kGzip, {.decoded_bytes_max = asset.bytes});
  if (!decoder->decode(asset.gzip, out, {}).ok() || !decoder->finish().ok()) return std::nullopt;
  return out;
}

http::Response file_answer(const Asset& asset, const http::Headers& request) {
  http::Response response;
  response.headers.add("etag", tag_of(asset));
  response.headers.add("cache-control", asset.path == kPage ? kRevalidate : kForEver);
  response.headers.add("vary", "accept-encoding");
  response.headers.add("content-security-policy", kPolicy);
  response.headers.add("x-content-type-options", "nosniff");
  response.headers.add("referrer-policy", "no-referrer");
  response.headers.add("cross-origin-opener-policy", "same-origin");
  if (has_it(request.get("if-none-match"), asset)) {
    response.status = kNotModified;
    return response;
  }
  response.status = kOk;
  response.headers.add("content-type", std::string(asset.content_type));
  if (http::accepts_gzip(request.get("accept-encoding"))) {
    response.headers.add("content-encoding", "gzip");
    response.body = Bytes(asset.gzip);
    return response;
  }
  auto body = decoded(asset);
  if (!body) return text_answer(kInternal, "a file of the page cannot be decompressed\n");
  response.body = std::move(*body);
  return response;
}

}  // namespace

std::optional<http::Response> AssetHandler::answer(const http::RequestHead& head) const {
  if (head.path != kPage && !head.path.starts_with(kFolder)) return std::nullopt;
  if (head.method != "GET") {
    http::Response refused = text_answer(kMethodNotAllowed, "this path answers GET\n");
    refused.headers.add("allow", "GET");
    return refused;
  }
  for (const Asset& asset : assets_)
    if (asset.path == head.path) return file_answer(asset, head.headers);
  if (assets_.empty())
    return text_answer(kNotFound,
                       "This spanway-query was built without its page (SPANWAY_WEB=OFF); the APIs "
                       "answer below /api, /tempo and /loki.\n");
  return text_answer(kNotFound, "The page has no such file: reload it from /.\n");
}

}  // namespace spanway::query::web
