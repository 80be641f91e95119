// How one gRPC call is answered. Internal to this module.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/http/server.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/rpc/events.h"

namespace spanway::rpc {

// The duty to answer one Export call, and to count it. External lock; may be handed to another
// thread, also after the service has gone. Dropped unanswered counts as CANCELLED: the client went
// away.
class CallAnswer {
 public:
  struct Call {
    otlp::Signal signal = otlp::Signal::kTraces;
    std::string peer;
    bool gzip = false;
    SteadyTime start;
  };
  CallAnswer(http::Responder responder, std::shared_ptr<const ServerEvents> events,
             const Clock& clock, Call call);
  CallAnswer(const CallAnswer&) = delete;
  CallAnswer& operator=(const CallAnswer&) = delete;
  ~CallAnswer();

  void succeed(std::uint64_t rejected, std::string_view message) noexcept;
  // The sink's refusal.
  void fail(Error error) noexcept;
  // Our own refusal: also counted by reason.
  void refuse(Error error) noexcept;

 private:
  void finish(Code code) noexcept;

  http::Responder responder_;
  const std::shared_ptr<const ServerEvents> events_;
  const Clock& clock_;
  const Call call_;
  bool answered_ = false;
};

}  // namespace spanway::rpc
