#include "operator/k8s/watch_decoder.h"

#include <utility>

#include "operator/k8s/status_error.h"

namespace spanway::kube {
namespace {

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

std::optional<WatchEvent::Type> type_of(std::string_view word) {
  if (word == "ADDED") return WatchEvent::Type::kAdded;
  if (word == "MODIFIED") return WatchEvent::Type::kModified;
  if (word == "DELETED") return WatchEvent::Type::kDeleted;
  if (word == "BOOKMARK") return WatchEvent::Type::kBookmark;
  return std::nullopt;
}

}  // namespace

WatchDecoder::WatchDecoder(std::string what, std::size_t line_bytes_max)
    : what_(std::move(what)), line_bytes_max_(line_bytes_max) {}

Result<WatchDecoder::Next> WatchDecoder::feed(std::string_view bytes,
                                              const std::function<bool(WatchEvent)>& on_event) {
  while (!ended_) {
    const std::size_t end = bytes.find('\n');
    const std::size_t more = end == std::string_view::npos ? bytes.size() : end;
    if (line_.size() + more > line_bytes_max_) {
      ended_ = true;
      line_.clear();
      return unknown_error(Code::kResourceExhausted, what_ + ": an event has more than " +
                                                         std::to_string(line_bytes_max_) + " bytes")
          .with_reason("watch_event_too_large");
    }
    if (end == std::string_view::npos) {
      line_.append(bytes);
      return Next::kMore;
    }
    std::string_view line = bytes.substr(0, end);
    // Copy only a line that arrived in pieces.
    const std::string joined =
        line_.empty() ? std::string() : std::exchange(line_, {}).append(line);
    if (!joined.empty()) line = joined;
    bytes.remove_prefix(end + 1);
    auto next = line_done(line, on_event);
    if (!next.ok() || *next == Next::kStop) {
      ended_ = true;
      return next;
    }
  }
  return Next::kStop;
}

Result<WatchDecoder::Next> WatchDecoder::line_done(
    std::string_view line, const std::function<bool(WatchEvent)>& on_event) {
  if (is_blank(line)) return Next::kMore;
  auto parsed = parse_json(line, line_bytes_max_);
  if (!parsed.ok())
    return std::move(parsed)
        .error()
        .with_context(what_ + ": broken watch event")
        .with_reason("watch_broken");
  const std::string word = string_at(*parsed, "type");
  const Json* object = find(*parsed, "object");
  if (word.empty() || object == nullptr || !object->is_object())
    return invalid_argument(what_ + ": a line of the watch is no event")
        .with_reason("watch_broken");
  if (word == "ERROR") return error_of_status(what_, *object);
  const auto type = type_of(word);
  if (!type) return Next::kMore;
  WatchEvent event{*type, std::move((*parsed)["object"])};
  if (auto metadata = event.object.find("metadata");
      metadata != event.object.end() && metadata->is_object())
    metadata->erase("managedFields");
  return on_event(std::move(event)) ? Next::kMore : Next::kStop;
}

Status WatchDecoder::finish() const {
  if (ended_ || is_blank(line_)) return ok_status();
  return unavailable(what_ + ": the watch ended inside an event");
}

}  // namespace spanway::kube
