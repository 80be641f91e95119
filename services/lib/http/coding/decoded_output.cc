#include "services/lib/http/coding/decoded_output.h"

#include <algorithm>

#include "services/lib/base/arrival.h"

namespace spanway::http {
namespace {

constexpr std::size_t kFirstBytes = 4 * 1024;

Error too_large(std::string_view what) {
  return data_error(Code::kResourceExhausted, "body too large: " + std::string(what))
      .with_reason("body_too_large");
}

}  // namespace

Error corrupt_body(std::string_view what) {
  return invalid_argument("body: " + std::string(what)).with_reason("body_corrupt");
}

bool DecodedOutput::acquire(std::size_t total, const Decoder::Grow& grow) {
  if (total <= granted_bytes_) return true;
  if (grow && !grow(total)) return false;
  granted_bytes_ = total;
  return true;
}

// `charged` of the new capacity is acquired, and the old buffer until its bytes have been moved.
Status DecodedOutput::reserve(Bytes& out, std::size_t capacity, std::size_t charged,
                              std::size_t state_bytes, const Decoder::Grow& grow) {
  const std::size_t moved = capacity > out.capacity() ? out.size() : 0;
  if (!acquire(moved + charged + state_bytes, grow))
    return transient_error(Code::kResourceExhausted, "body: no memory to decode it now")
        .with_reason("memory_budget");
  if (moved == 0) {
    out.reserve(capacity);
    return ok_status();
  }
  out.reserve(capacity);
  granted_bytes_ = charged + state_bytes;
  if (grow) static_cast<void>(grow(granted_bytes_));
  return ok_status();
}

Status DecodedOutput::make_room(Bytes& out, std::size_t requested, std::size_t state_bytes,
                                const Decoder::Grow& grow) {
  const std::size_t least = out.size() + std::max<std::size_t>(requested, 1);
  if (out.capacity() - out.size() >= requested)
    return reserve(out, out.capacity(), out.capacity(), state_bytes, grow);
  // Doubling, but not beyond what a body may have: capacity is what the memory costs.
  const std::size_t most = out.size() + (limits_.decoded_bytes_max - output_bytes_) + 1;
  const std::size_t doubled = std::max({least, 2 * out.capacity(), kFirstBytes});
  const std::size_t target = std::max(std::min(doubled, most), least);
  if (Status status = reserve(out, target, target, state_bytes, grow); status.ok()) return status;
  const std::size_t smallest = std::max(out.capacity(), least);
  return reserve(out, smallest, smallest, state_bytes, grow);
}

Status DecodedOutput::make_room_announced(Bytes& out, std::size_t requested,
                                          const Decoder::Grow& grow) {
  const std::size_t least = out.size() + requested;
  const std::size_t capacity =
      least <= out.capacity() ? out.capacity() : arrival_capacity(least, limits_.announced_bytes);
  const std::size_t ahead = std::min(2 * least, capacity);
  if (Status status = reserve(out, capacity, ahead, 0, grow); status.ok()) return status;
  return reserve(out, least <= out.capacity() ? out.capacity() : least, least, 0, grow);
}

Status DecodedOutput::added(std::size_t bytes) {
  output_bytes_ += bytes;
  if (output_bytes_ > limits_.decoded_bytes_max)
    return too_large("more than " + std::to_string(limits_.decoded_bytes_max) + " bytes decoded");
  return ok_status();
}

}  // namespace spanway::http
