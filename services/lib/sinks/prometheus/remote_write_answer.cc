#include "services/lib/sinks/prometheus/remote_write_answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/otlp/status_map.h"

namespace spanway::sinks {
namespace {

using Kind = RemoteWriteAnswer::Kind;
using prometheus_write::Protocol;

constexpr int kBadRequest = 400, kConflict = 409, kUnsupportedMediaType = 415;
// The words of Prometheus and Mimir.
constexpr std::array<std::string_view, 11> kNeverStored = {"out of order",
                                                           "out-of-order",
                                                           "out of bounds",
                                                           "out-of-bounds",
                                                           "too old",
                                                           "too-old",
                                                           "duplicate sample",
                                                           "duplicate timestamp",
                                                           "duplicate-timestamp",
                                                           "too far in the future",
                                                           "too-far-in-future"};
// The reason comes first in the text of one series; there may be a line for each.
constexpr std::size_t kTextBytesMax = 4096;

bool is_never_stored(std::string_view text) {
  const std::string lower = to_lower(text.substr(0, kTextBytesMax));
  return std::any_of(kNeverStored.begin(), kNeverStored.end(), [&](std::string_view words) {
    return lower.find(words) != std::string::npos;
  });
}

struct Written {
  std::uint64_t samples = 0;
  std::uint64_t histograms = 0;
  std::uint64_t entries() const noexcept { return samples + histograms; }
};

// False when the header is missing or no number.
bool read_count(const http::Headers& headers, std::string_view name, std::uint64_t& count) {
  const std::string_view text = headers.get(name);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  return error == std::errc() && !text.empty() && end == text.data() + text.size();
}

// Nothing when there is none of the headers; one that is missing means zero.
std::optional<Written> written_in(const http::Response& response) {
  Written written;
  std::uint64_t exemplars = 0;
  const http::Headers& headers = response.headers;
  const bool has_samples =
      read_count(headers, "x-prometheus-remote-write-samples-written", written.samples);
  const bool has_histograms =
      read_count(headers, "x-prometheus-remote-write-histograms-written", written.histograms);
  const bool has_exemplars =
      read_count(headers, "x-prometheus-remote-write-exemplars-written", exemplars);
  if (!has_samples && !has_histograms && !has_exemplars) return std::nullopt;
  return written;
}

std::uint64_t less(std::uint64_t whole, std::uint64_t part) noexcept {
  return whole > part ? whole - part : 0;
}

Error error_of(const http::Response& response) {
  return otlp::error_from_http(response.status, {}, response.body.view(),
                               std::chrono::system_clock::time_point());
}

Error unconfirmed(const http::Response& response) {
  return configuration_error(
             Code::kFailedPrecondition,
             "HTTP " + std::to_string(response.status) +
                 " to a request of remote write 2.0 reports nothing written "
                 "(X-Prometheus-Remote-Write-Samples-Written): the receiver has read it as 1.0; "
                 "set protocol to 1.0 or auto")
      .with_reason("rw_unconfirmed");
}

RemoteWriteAnswer stored(const Written& written, const RemoteWriteSent& sent,
                         const http::Response& response) {
  RemoteWriteAnswer answer;
  answer.refused_entries =
      less(sent.samples, written.samples) + less(sent.histograms, written.histograms);
  answer.error = error_of(response);
  return answer;
}

RemoteWriteAnswer read_v2(const http::Response& response, const RemoteWriteSent& sent) {
  const std::optional<Written> written = written_in(response);
  if (response.status < 300) {
    if (sent.samples + sent.histograms == 0) return {};
    if (!written || written->entries() == 0)
      return {.kind = Kind::kOtherProtocol, .error = unconfirmed(response)};
    return stored(*written, sent, response);
  }
  if (written && (written->entries() > 0 || is_never_stored(response.body.view())))
    return stored(*written, sent, response);
  return {.kind = Kind::kRefused, .error = error_of(response)};
}

RemoteWriteAnswer read_v1(const http::Response& response, const RemoteWriteSent& sent) {
  if (response.status < 300) return {};
  if (!is_never_stored(response.body.view()))
    return {.kind = Kind::kRefused, .error = error_of(response)};
  const std::uint64_t entries = sent.samples + sent.histograms;
  if (entries > 1)
    return {.kind = Kind::kNothingStored,
            .error = error_of(response).with_reason("rw_out_of_order")};
  return {.kind = Kind::kStored, .refused_entries = entries, .error = error_of(response)};
}

}  // namespace

bool is_remote_write_answer(int status) noexcept {
  return status == kBadRequest || status == kConflict || status == kUnsupportedMediaType;
}

RemoteWriteAnswer read_remote_write_answer(const http::Response& response,
                                           const RemoteWriteSent& sent) {
  if (response.status == kUnsupportedMediaType)
    return {.kind = Kind::kOtherProtocol, .error = error_of(response)};
  return sent.protocol == Protocol::kV2 ? read_v2(response, sent) : read_v1(response, sent);
}

}  // namespace spanway::sinks
