#include "services/lib/sinks/loki/loki_answer.h"

#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "services/lib/otlp/status_map.h"
#include "services/lib/sinks/http_poster.h"

namespace spanway::sinks {
namespace {

struct Ignored {
  std::uint64_t count = 0;
  std::uint64_t total = 0;
};

bool read_number(std::string_view& text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc();
}

bool skip(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// "user 'fake', total ignored: 2 out of 10 for stream: {...}". Labels, which clients choose, come
// behind it.
std::optional<Ignored> ignored_in(std::string_view text) {
  constexpr std::string_view kMark = "', total ignored: ";
  const std::size_t at = text.find(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + kMark.size());
  Ignored ignored;
  if (!read_number(text, ignored.count) || !skip(text, " out of ") ||
      !read_number(text, ignored.total) || !skip(text, " for stream"))
    return std::nullopt;
  return ignored;
}

}  // namespace

Result<pipeline::Outcome> read_loki_answer(const http::Response& response, std::uint64_t entries) {
  if (entries == 0 && response.status == kLokiNothingSent) return pipeline::Outcome{};
  if (response.status < 300) {
    if (!response.body.empty()) return not_the_api(response);
    return pipeline::Outcome{};
  }
  // Over OTLP the text lies in a google.rpc.Status.
  Error error = otlp::error_from_http(response.status, "", response.body.view(),
                                      std::chrono::system_clock::time_point());
  const auto ignored = ignored_in(response.body.view());
  // Another total: Loki has refused others before it counted, or has divided the stream.
  if (response.status == kLokiPartlyStored && ignored && ignored->total == entries &&
      ignored->count <= entries)
    return pipeline::Outcome{.rejected = ignored->count, .message = std::move(error.message)};
  if (response.status != kLokiPartlyStored) return error;
  return std::move(error).with_reason("loki_refused_entries");
}

}  // namespace spanway::sinks
