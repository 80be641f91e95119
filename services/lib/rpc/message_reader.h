// Reads the one message of a unary gRPC call out of its DATA frames, however the message is split,
// and takes memory for the bytes that come before they are kept; for what was only announced it
// takes none. Internal to this module.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/rpc/grpc_wire.h"

namespace spanway::rpc {

struct MessageLimits {
  std::size_t message_bytes_max = 64u << 20;     // Before and after decompression.
  std::size_t compressed_bytes_max = 16u << 20;  // On the wire, when compressed.
  std::chrono::milliseconds retry_after{1000};   // When the budget is used up.
};

// External lock. Ownership: holds the message and its permit until they are taken.
// Refusals: a broken frame or a corrupt compressed message is INVALID_ARGUMENT; none or two
// messages UNIMPLEMENTED, as the gRPC status code document has it; too large RESOURCE_EXHAUSTED
// (all data: the same bytes never pass); no memory RESOURCE_EXHAUSTED, transient.
class MessageReader {
 public:
  // `permit` is an empty one of the budget to acquire from.
  MessageReader(http::ContentCoding coding, MessageLimits limits, Permit permit);

  // After an error the memory has been given back and nothing more may be appended.
  Status append(std::string_view data);
  // The body is over.
  Status finish();

  std::uint64_t wire_bytes() const noexcept { return wire_bytes_; }
  Bytes take_message() noexcept { return std::move(message_); }
  Permit take_permit() noexcept { return std::move(permit_); }

 private:
  Status consume(std::string_view data);
  Status begin_message();
  Status add_to_message(std::string_view chunk);
  bool grow_permit(std::size_t total) noexcept;
  Error no_memory() const;
  Status fail(Status status);

  const http::ContentCoding coding_;
  const MessageLimits limits_;
  Permit permit_;
  Bytes message_;
  std::unique_ptr<http::Decoder> decoder_;  // Only for a compressed message.
  std::array<char, kMessagePrefixBytes> prefix_{};
  std::size_t prefix_size_ = 0;
  std::size_t remaining_ = 0;  // Bytes of the message, on the wire.
  std::size_t announced_ = 0;  // The same at its beginning.
  std::uint64_t wire_bytes_ = 0;
};

}  // namespace spanway::rpc
