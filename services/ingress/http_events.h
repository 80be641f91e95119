// Counts the reports of the OTLP/HTTP handler as the ingress's own, and logs them.
#pragma once

#include <string_view>
#include <utility>

#include "services/ingress/events.h"
#include "services/lib/otlp_server/otlp_http_events.h"

namespace spanway::ingress {

// Thread-safe.
class HttpEvents final : public otlp_server::OtlpHttpEvents {
 public:
  explicit HttpEvents(Events events) : events_(std::move(events)) {}
  void refused(Refused reason, std::string_view peer, const Error& error) override {
    if (reason != Refused::kNotAdmitted) events_.refused(Transport::kHttp, refused_by(reason));
    events_.http_refused(peer, error);
  }
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
      case Refused::kNotAdmitted:  // Counted by the gatekeeper.
        break;
    }
    return RefusedBy::kMemory;
  }
  const Events events_;
};

}  // namespace spanway::ingress
