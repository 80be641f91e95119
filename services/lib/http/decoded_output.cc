#include "services/lib/http/decoded_output.h"

#include <algorithm>

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

bool DecodedOutput::ask(std::size_t total, std::size_t state_bytes, const Decoder::Grow& grow) {
  if (total + state_bytes <= granted_bytes_) return true;
  if (grow && !grow(total + state_bytes)) return false;
  granted_bytes_ = total + state_bytes;
  return true;
}

Status DecodedOutput::make_room(Bytes& out, std::size_t wanted, std::size_t state_bytes,
                                const Decoder::Grow& grow) {
  std::size_t target = out.capacity();
  const std::size_t least = out.size() + std::max<std::size_t>(wanted, 1);
  if (target - out.size() < wanted) {
    // Doubling, but not beyond what a body may have: capacity is what the memory costs.
    const std::size_t most = out.size() + (limits_.decoded_bytes_max - output_bytes_) + 1;
    target = std::max({least, 2 * out.capacity(), kFirstBytes});
    target = std::max(std::min(target, most), least);
  }
  if (!ask(target, state_bytes, grow)) {
    target = std::max(out.capacity(), least);
    if (!ask(target, state_bytes, grow))
      return transient_error(Code::kResourceExhausted, "body: no memory to decode it now")
          .with_reason("memory_budget");
  }
  out.reserve(target);
  return ok_status();
}

Status DecodedOutput::added(std::size_t bytes) {
  output_bytes_ += bytes;
  if (output_bytes_ > limits_.decoded_bytes_max)
    return too_large("more than " + std::to_string(limits_.decoded_bytes_max) + " bytes decoded");
  if (output_bytes_ > limits_.ratio_floor_bytes &&
      output_bytes_ / limits_.ratio_max >= std::max<std::size_t>(input_bytes_, 1))
    return too_large("it grows more than " + std::to_string(limits_.ratio_max) +
                     "-fold when decoded");
  return ok_status();
}

}  // namespace spanway::http
