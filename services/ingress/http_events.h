// Counts the reports of the OTLP/HTTP handler as the ingress's own.
#pragma once

#include <utility>

#include "services/ingress/events.h"
#include "services/lib/otlp_server/otlp_http_events.h"

namespace spanway::ingress {

// Thread-safe.
class HttpEvents final : public otlp_server::OtlpHttpEvents {
 public:
  explicit HttpEvents(Events events) : events_(std::move(events)) {}
  void refused(Refused reason) override { events_.refused(Transport::kHttp, refused_by(reason)); }
  void replaced_surrogates(otlp::Signal signal, std::uint64_t count) override {
    events_.replaced_surrogates(signal, count);
  }

 private:
  static RefusedBy refused_by(Refused reason) noexcept {
    switch (reason) {
      case Refused::kUnsupported:
        return RefusedBy::kUnsupported;
      case Refused::kMalformed:
        return RefusedBy::kMalformed;
      case Refused::kTooLarge:
        return RefusedBy::kTooLarge;
      case Refused::kMemory:
        break;
    }
    return RefusedBy::kMemory;
  }
  const Events events_;
};

}  // namespace spanway::ingress
