// The meaning of a receiver's answers. Pure; thread-safe.
// Sources: Prometheus Remote-Write 1.0 and 2.0 specifications; Prometheus 3.15,
// storage/remote/write_handler.go; Thanos, which answers 409 where others answer 400.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/base/result.h"
#include "services/lib/http/message.h"
#include "services/lib/prometheus_write/write_requests.h"

namespace spanway::sinks {

// The content of a request. Entries are samples and histograms.
struct RemoteWriteSent {
  prometheus_write::Protocol protocol = prometheus_write::Protocol::kV2;
  std::uint64_t samples = 0;
  std::uint64_t histograms = 0;
};

struct RemoteWriteAnswer {
  enum class Kind {
    kStored,         // All but `refused_entries`, which would never be stored.
    kNothingStored,  // For the sake of some entries (1.0): to be divided.
    kOtherProtocol,  // The receiver has not this version; nothing is stored.
    kRefused,
  } kind = Kind::kStored;
  std::uint64_t refused_entries = 0;
  Error error = {};  // With kStored it is the receiver's text, if any.
};

// Statuses whose answers read_remote_write_answer() takes besides 2xx; all others mean what
// otlp::error_from_http() says.
bool is_remote_write_answer(int status) noexcept;

//  - 2xx of 2.0: the Written headers say how much is stored. Without them, or with zeros only, the
//    receiver has read the message as one of 1.0, which is empty then. An empty
//    request shows nothing of this.
//  - 400 of 2.0 with Written headers: the rest is stored. When nothing is, the entries are refused
//    if the text says out of order, out of bounds, duplicate or too old; otherwise the message may
//    be what is wrong: data.
//  - 400 of 1.0 with such a text: nothing is stored, whatever else the request holds.
//  - 415: the other version.
RemoteWriteAnswer read_remote_write_answer(const http::Response& response,
                                           const RemoteWriteSent& sent);

}  // namespace spanway::sinks
