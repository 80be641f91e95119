#include "operator/decide/pod_health.h"

#include <algorithm>
#include <array>

#include "operator/decide/wall_time.h"
#include "services/lib/base/utf8.h"

namespace spanway::decide {
namespace {

constexpr std::int64_t kCrashRestarts = 2;
// A pod that is not ready after this is more than slow.
constexpr std::int64_t kStartingMs = 120'000;
constexpr std::array<std::string_view, 5> kUnmakable = {"CreateContainerConfigError",
                                                        "CreateContainerError", "RunContainerError",
                                                        "InvalidImageName", "ErrImageNeverPull"};
constexpr std::array<std::string_view, 3> kStarting = {"", "NotReady", "ContainerCreating"};

std::int64_t to_ms(Duration duration) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

bool is_looping(const PodView& pod) {
  return pod.crash_looping || pod.reason == "CrashLoopBackOff";
}

bool is_starting(const PodView& pod) {
  return std::find(kStarting.begin(), kStarting.end(), pod.reason) != kStarting.end();
}

}  // namespace

bool is_crashing(const PodView& pod, std::int64_t now_ms, Duration window) {
  if (is_looping(pod)) return true;
  if (pod.restarts < kCrashRestarts) return false;
  return !pod.last_restart || now_ms <= unix_ms(*pod.last_restart) + to_ms(window);
}

std::int64_t crashing_ends_ms(const PodView& pod, std::int64_t now_ms, Duration window) {
  if (!is_crashing(pod, now_ms, window) || is_looping(pod) || !pod.last_restart) return 0;
  return unix_ms(*pod.last_restart) + to_ms(window) + 1;
}

bool is_unmakable(std::string_view reason) noexcept {
  return std::find(kUnmakable.begin(), kUnmakable.end(), reason) != kUnmakable.end();
}

std::string_view crash_reason(const PodView& pod) noexcept {
  return pod.reason == "OOMKilled" ? "OOMKilled" : "CrashLoopBackOff";
}

bool is_in_trouble(const PodView& pod, std::int64_t now_ms) {
  if (pod.ready || pod.deleting) return false;
  return !is_starting(pod) || now_ms >= unix_ms(pod.created) + kStartingMs;
}

std::int64_t grace_ends_ms(const PodView& pod, std::int64_t now_ms) {
  if (pod.ready || pod.deleting || !is_starting(pod) || is_in_trouble(pod, now_ms)) return 0;
  return unix_ms(pod.created) + kStartingMs;
}

std::string one_line(std::string_view text, std::size_t bytes_max) {
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (text.size() <= bytes_max && std::all_of(text.begin(), text.end(), is_plain)) {
    return std::string(text);
  }
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text.substr(at));
    const std::size_t length = point.length == 0 ? 1 : point.length;
    const bool printable = point.length != 0 && point.value >= 0x20 && point.value != 0x7f;
    out += printable ? text.substr(at, length) : (point.length == 0 ? "?" : " ");
    at += length;
    if (out.size() > bytes_max) break;
  }
  return truncate_utf8(out, bytes_max);
}

}  // namespace spanway::decide
