#include "services/lib/rpc/message_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/lib/base/arrival.h"

namespace spanway::rpc {
namespace {

constexpr unsigned char kCompressedFlag = 1;

Error bad_framing(std::string message) {
  return invalid_argument("gRPC message: " + std::move(message)).with_reason("grpc_bad_framing");
}

Error bad_cardinality(std::string_view what) {
  return data_error(Code::kUnimplemented,
                    "Export takes exactly one message, the request has " + std::string(what))
      .with_reason("grpc_bad_framing");
}

Error too_large(std::string_view what, std::size_t size, std::size_t limit) {
  return data_error(Code::kResourceExhausted, std::string(what) + " of " + std::to_string(size) +
                                                  " bytes; the limit is " + std::to_string(limit) +
                                                  ". Send smaller batches")
      .with_reason("message_too_large");
}

}  // namespace

MessageReader::MessageReader(http::ContentCoding coding, MessageLimits limits, Permit permit)
    : coding_(coding), limits_(limits), permit_(std::move(permit)) {}

Status MessageReader::append(std::string_view data) {
  wire_bytes_ += data.size();
  return fail(consume(data));
}

Status MessageReader::consume(std::string_view data) {
  while (!data.empty()) {
    if (prefix_size_ < prefix_.size()) {
      const std::size_t take = std::min(prefix_.size() - prefix_size_, data.size());
      std::copy_n(data.data(), take, prefix_.data() + prefix_size_);
      prefix_size_ += take;
      data.remove_prefix(take);
      if (prefix_size_ == prefix_.size()) SPANWAY_TRY(begin_message());
      continue;
    }
    if (remaining_ == 0) return bad_cardinality("more");
    const std::size_t take = std::min(remaining_, data.size());
    SPANWAY_TRY(add_to_message(data.substr(0, take)));
    remaining_ -= take;
    data.remove_prefix(take);
  }
  return ok_status();
}

Status MessageReader::begin_message() {
  const auto flag = static_cast<unsigned char>(prefix_[0]);
  if (flag > kCompressedFlag) {
    return bad_framing("the flag byte is " + std::to_string(flag) + ", not 0 or 1");
  }
  const bool compressed = flag == kCompressedFlag;
  if (compressed && coding_ == http::ContentCoding::kIdentity) {
    // The code that the gRPC specification of compression asks for.
    return unknown_error(Code::kInternal,
                         "gRPC message: it is flagged as compressed, but there is no grpc-encoding")
        .with_reason("grpc_bad_framing");
  }
  for (std::size_t i = 1; i < prefix_.size(); ++i) {
    remaining_ = remaining_ << 8 | static_cast<unsigned char>(prefix_[i]);
  }
  const std::size_t limit = compressed
                                ? std::min(limits_.compressed_bytes_max, limits_.message_bytes_max)
                                : limits_.message_bytes_max;
  if (remaining_ > limit) {
    return too_large(compressed ? "a compressed message" : "a message", remaining_, limit);
  }
  if (compressed) {
    decoder_ = http::Decoder::create(
        coding_, http::DecodeLimits{.decoded_bytes_max = limits_.message_bytes_max});
  }
  announced_ = remaining_;
  return ok_status();
}

Status MessageReader::add_to_message(std::string_view chunk) {
  if (!decoder_) {
    if (!make_room(message_, chunk.size(), announced_, permit_)) return no_memory();
    message_.append(chunk);
    return ok_status();
  }
  Status status =
      decoder_->decode(chunk, message_, [this](std::size_t total) { return grow_permit(total); });
  if (status.ok()) return status;
  Error error = std::move(status).error();
  if (error.code != Code::kResourceExhausted) {
    return std::move(error).with_reason("message_corrupt");
  }
  if (error.refusal == Refusal::kTransient) return no_memory();
  return std::move(error).with_reason("message_too_large");
}

// `total` is what the message and the decoder will hold together.
bool MessageReader::grow_permit(std::size_t total) noexcept {
  permit_.shrink_to(total);
  return total <= permit_.bytes() || (permit_.admits() && permit_.grow_to(total));
}

Error MessageReader::no_memory() const {
  return transient_error(Code::kResourceExhausted,
                         "no memory is free for this message now; send it again later")
      .with_reason("no_memory")
      .with_retry_after(limits_.retry_after);
}

Status MessageReader::finish() {
  if (prefix_size_ == 0) return fail(bad_cardinality("none"));
  if (prefix_size_ < prefix_.size() || remaining_ > 0) {
    return fail(bad_framing("the body ends before the message does"));
  }
  if (decoder_) {
    if (Status status = decoder_->finish(); !status.ok()) {
      return fail(std::move(status).error().with_reason("message_corrupt"));
    }
    decoder_.reset();
    permit_.shrink_to(message_.capacity());
  } else {
    permit_.shrink_to(message_.capacity());
  }
  return ok_status();
}

Status MessageReader::fail(Status status) {
  if (!status.ok()) {
    message_ = Bytes();
    decoder_.reset();
    permit_.release();
  }
  return status;
}

}  // namespace spanway::rpc
