#include "services/lib/otlp_server/http_answer.h"

#include <charconv>
#include <utility>

#include "services/lib/base/ascii.h"

namespace spanway::otlp_server {
namespace {

// Below this, compressing an answer costs more than it saves.
constexpr std::size_t kCompressBytesMin = 1024;

// The q parameter of one element, 1 without; 0 for what cannot be read.
double quality_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = parameters.find(';');
    const std::string_view parameter = trim(parameters.substr(0, end));
    if (parameter.size() > 2 && (parameter[0] == 'q' || parameter[0] == 'Q') &&
        parameter[1] == '=') {
      double quality = 0;
      const auto number = parameter.substr(2);
      const auto result = std::from_chars(number.data(), number.data() + number.size(), quality);
      return result.ec == std::errc{} && quality >= 0 && quality <= 1 ? quality : 0;
    }
    if (end == std::string_view::npos) break;
    parameters.remove_prefix(end + 1);
  }
  return 1;
}

}  // namespace

std::optional<otlp::Encoding> encoding_of(std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (equals_ignoring_case(type, "application/x-protobuf")) return otlp::Encoding::kProtobuf;
  if (equals_ignoring_case(type, "application/json")) return otlp::Encoding::kJson;
  return std::nullopt;
}

http::ContentCoding accepted_coding(std::string_view accept_encoding) {
  http::ContentCoding best = http::ContentCoding::kIdentity;
  double best_quality = 0;
  while (!accept_encoding.empty()) {
    const std::size_t comma = accept_encoding.find(',');
    const std::string_view element = accept_encoding.substr(0, comma);
    const std::size_t semicolon = element.find(';');
    const std::string_view name = trim(element.substr(0, semicolon));
    const double quality =
        semicolon == std::string_view::npos ? 1 : quality_of(element.substr(semicolon + 1));
    const bool gzip = equals_ignoring_case(name, "gzip") || name == "*";
    const bool zstd = equals_ignoring_case(name, "zstd");
    if ((gzip || zstd) && quality > best_quality) {
      best = gzip ? http::ContentCoding::kGzip : http::ContentCoding::kZstd;
      best_quality = quality;
    }
    if (comma == std::string_view::npos) break;
    accept_encoding.remove_prefix(comma + 1);
  }
  return best;
}

void HttpAnswer::send(int status, Bytes body, http::Headers headers) noexcept {
  http::Response response;
  response.status = status;
  response.headers = std::move(headers);
  response.headers.add("content-type", encoding_ == otlp::Encoding::kJson
                                           ? "application/json"
                                           : "application/x-protobuf");
  response.body = std::move(body);
  if (coding_ != http::ContentCoding::kIdentity && response.body.size() > kCompressBytesMin) {
    // An answer that cannot be compressed goes as it is.
    if (auto compressed = http::encode(coding_, response.body.view()); compressed.ok()) {
      response.body = std::move(compressed).value();
      response.headers.add("content-encoding", std::string(http::to_string(coding_)));
    }
  }
  responder_.send(std::move(response));
}

void HttpAnswer::succeed(otlp::Signal signal, std::uint64_t rejected,
                         std::string_view message) noexcept {
  send(200, otlp::export_response(signal, rejected, message, encoding_), std::move(extra_));
}

void HttpAnswer::fail(const Error& error, int status) noexcept {
  if (const auto seconds = otlp::retry_after_seconds(error))
    extra_.add("retry-after", std::to_string(*seconds));
  send(status != 0 ? status : otlp::http_status(error), otlp::status_body(error, encoding_),
       std::move(extra_));
}

}  // namespace spanway::otlp_server
