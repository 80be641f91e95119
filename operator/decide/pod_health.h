// Derives from a pod's state whether the revision that it runs is at fault.
#pragma once

#include <cstdint>
#include <string_view>

#include "operator/decide/observation.h"
#include "services/lib/base/clock.h"

namespace spanway::decide {

// The container restarts repeatedly: waiting in CrashLoopBackOff, or at least 2 restarts, the last
// one at most `window` ago. Restarts before that are no longer counted.
bool is_crashing(const PodView& pod, std::int64_t now_ms, Duration window);
// When its restarts will no longer be counted if none follows; 0 = never, or it does not crash.
std::int64_t crashing_ends_ms(const PodView& pod, std::int64_t now_ms, Duration window);
// The kubelet cannot create the container from this spec: waiting does not help.
bool is_unmakable(std::string_view reason) noexcept;
// The word for a pod that is crashing.
std::string_view crash_reason(const PodView& pod) noexcept;
// The pod is not just starting: something blocks it that a person should know.
bool is_in_trouble(const PodView& pod, std::int64_t now_ms);
// When a pod that just starts will be in trouble unless something happens; 0 = it does not start.
std::int64_t grace_ends_ms(const PodView& pod, std::int64_t now_ms);

// At most `bytes_max` bytes, on one line, whole UTF-8 characters only; what was cut ends in "...".
std::string one_line(std::string_view text, std::size_t bytes_max);

}  // namespace spanway::decide
