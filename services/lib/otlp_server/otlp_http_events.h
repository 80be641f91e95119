// The reports of an OTLP/HTTP handler, for the counters of the service that has it.
#pragma once

#include <cstdint>

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
  };
  virtual ~OtlpHttpEvents() = default;
  // A request was refused before the sink got it; not by the gatekeeper, which counts itself.
  virtual void refused(Refused) {}
  // Halves of surrogate pairs in OTLP/JSON that became U+FFFD.
  virtual void replaced_surrogates(otlp::Signal, std::uint64_t /*count*/) {}
};

}  // namespace spanway::otlp_server
