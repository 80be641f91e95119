// The reports of an OTLP/HTTP handler, for the counters and logs of the service that has it.
#pragma once

#include <cstdint>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"

namespace spanway::otlp_server {

// Thread-safe. The default ignores everything.
class OtlpHttpEvents {
 public:
  enum class Refused : unsigned char {
    kUnsupported,  // Path, method, content type or coding.
    kMalformed,
    kTooLarge,
    kMemory,
    kNotAdmitted,  // By the gatekeeper, which counts it itself.
  };
  virtual ~OtlpHttpEvents() = default;
  // A request was refused before the sink got it. `peer` is the client's address.
  virtual void refused(Refused, std::string_view /*peer*/, const Error& /*error*/) {}
  // Halves of surrogate pairs in OTLP/JSON that became U+FFFD.
  virtual void replaced_surrogates(otlp::Signal, std::uint64_t /*count*/) {}
};

}  // namespace spanway::otlp_server
