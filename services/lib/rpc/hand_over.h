// For ThreadSanitizer: an object that passes from thread to thread through grpc++.
#pragma once

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace spanway::rpc {

// Debian's grpc++ is built without the sanitizer: its completion queue orders what one thread wrote
// before a call with what the thread of the callback reads, and the sanitizer cannot see that. The
// pair says so for one object, by its address, and for all that was written before; accesses that
// the queue does not order are still reported. Nothing in other builds. Thread-safe.

// Before the object goes to the library.
inline void hand_over([[maybe_unused]] void* object) noexcept {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(object);
#endif
}

// First in the callback that gets it back.
inline void take_over([[maybe_unused]] void* object) noexcept {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(object);
#endif
}

}  // namespace spanway::rpc
