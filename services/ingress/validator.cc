#include "services/ingress/validator.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/otlp/split.h"

namespace spanway::ingress {
namespace {

// A scan is handed on when it takes at most this part of the payload. It lives as long as the call
// that hands it on.
constexpr std::size_t kScanShareOfPayload = 8;

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> counter{0};
  return ++counter;
}

pipeline::Outcome joined(pipeline::Outcome own, const pipeline::Outcome& behind) {
  own.rejected += behind.rejected;
  if (!own.message.empty() && !behind.message.empty()) own.message += "; ";
  own.message += behind.message;
  return own;
}

}  // namespace

Validator::Validator(otlp::ScanLimits limits, Transport transport, auth::RateLimiter& limiter,
                     const Clock& clock, Events events, pipeline::Sink& next, bool hand_scan_on,
                     MemoryBudget* index_memory)
    : limits_(limits),
      id_(next_id()),
      observer_(std::make_shared<Observer>(Observer{std::move(events), clock, transport})),
      limiter_(limiter),
      next_(next),
      hand_scan_on_(hand_scan_on),
      index_memory_(index_memory) {}

otlp::Scanner& Validator::scanner() {
  struct Slot {
    std::uint64_t owner = 0;
    otlp::Scanner scanner;
  };
  thread_local Slot slot;
  if (slot.owner != id_) slot = {id_, otlp::Scanner(limits_)};
  return slot.scanner;
}

void Validator::refuse(pipeline::AckToken token, RefusedBy reason, Error error) const noexcept {
  observer_->events.refused(observer_->transport, reason);
  token.nack(std::move(error));
}

Error Validator::refusal_of_rejected(const otlp::Index& index) const {
  return invalid_argument("all " + std::to_string(index.rejected) + " " +
                          std::string(otlp::item_name(index.signal)) +
                          " were rejected: " + index.reject_message)
      .with_reason("all_items_rejected");
}

void Validator::count_rejected(const otlp::Index& index) const noexcept {
  for (std::size_t reason = 1; reason < otlp::kRejectReasonCount; ++reason)
    if (const std::uint64_t count = index.rejected_by_reason[reason]; count > 0)
      observer_->events.rejected(index.signal, static_cast<otlp::RejectReason>(reason), count);
}

pipeline::AckToken Validator::observe(otlp::Signal signal, pipeline::Outcome own,
                                      pipeline::AckToken token) {
  // The answer function has to be copyable, a token is not.
  struct Pending {
    pipeline::AckToken token;
    pipeline::Outcome own;
    std::shared_ptr<const Observer> observer;
    otlp::Signal signal;
    SteadyTime since;
  };
  auto pending = std::make_shared<Pending>(
      Pending{std::move(token), std::move(own), observer_, signal, observer_->clock.now()});
  return pipeline::AckToken([pending](Result<pipeline::Outcome> result) {
    const Observer& observer = *pending->observer;
    const auto took = std::chrono::duration<double>(observer.clock.now() - pending->since);
    observer.events.answered(pending->signal, observer.transport, took.count());
    if (result.ok()) {
      pending->token.ack(joined(std::move(pending->own), *result));
      return;
    }
    observer.events.refused(observer.transport, refused_by_next(result.error()));
    pending->token.nack(std::move(result).error());
  });
}

void Validator::refuse_scanned(pipeline::AckToken token, Error error) const noexcept {
  const bool too_large = error.code == Code::kResourceExhausted;
  refuse(std::move(token), too_large ? RefusedBy::kTooLarge : RefusedBy::kMalformed,
         std::move(error));
}

void Validator::refuse_without_memory(pipeline::AckToken token) const noexcept {
  refuse(std::move(token), RefusedBy::kMemory,
         transient_error(Code::kResourceExhausted, "the memory limit of this process is reached")
             .with_retry_after(std::chrono::seconds(1))
             .with_reason("memory_limit"));
}

void Validator::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  otlp::Scanner& scan = scanner();
  Permit index = index_memory_ == nullptr ? Permit() : index_memory_->empty_permit();
  Status status = scan.scan(batch.signal, batch.payload.view(), &index);
  if (status.ok()) {
    take(std::move(batch), std::move(token), scan);
  } else if (status.error().refusal == Refusal::kTransient) {
    refuse_without_memory(std::move(token));
  } else {
    refuse_scanned(std::move(token), std::move(status).error());
  }
  scan.release_excess();
}

void Validator::take(pipeline::Batch batch, pipeline::AckToken token,
                     const otlp::Scanner& scan) noexcept {
  const otlp::Index& index = scan.index();
  observer_->events.received(batch.signal, observer_->transport, index.accepted + index.rejected,
                             batch.payload.size());
  if (index.rejected > 0) count_rejected(index);
  if (!keeps_items(index)) {
    if (index.rejected == 0) {
      token.ack();
    } else if (otlp::holds_only_unread(index)) {
      token.ack({index.rejected, index.reject_message});
    } else {
      refuse(std::move(token), RefusedBy::kAllRejected, refusal_of_rejected(index));
    }
    return;
  }
  if (const auto wait =
          limiter_.take(batch.metadata.tenant, index.accepted, batch.payload.size())) {
    observer_->events.rate_limited(batch.signal, index.accepted);
    refuse(std::move(token), RefusedBy::kRateLimit,
           transient_error(Code::kResourceExhausted,
                           "this tenant has used up its rate limit: send less or raise rate_limit")
               .with_retry_after(std::chrono::ceil<std::chrono::milliseconds>(*wait))
               .with_reason("rate_limited"));
    return;
  }
  pipeline::Outcome own;
  if (index.rejected > 0) {
    // Until the split is over, the request is in memory twice.
    if (!batch.permit.grow_to(batch.permit.bytes() + batch.payload.size())) {
      refuse_without_memory(std::move(token));
      return;
    }
    own = {index.rejected, index.reject_message};
    batch.payload = otlp::without_rejected(index, batch.payload.view());
  } else if (hand_scan_on_ &&
             otlp::memory_of(index) <= batch.payload.size() / kScanShareOfPayload) {
    batch.scanned = std::make_shared<const otlp::Scanned>(otlp::Scanned{scan.limits(), index});
  }
  batch.permit.shrink_to(batch.payload.capacity());
  batch.item_count = index.accepted;
  const otlp::Signal signal = batch.signal;
  next_.send(std::move(batch), observe(signal, std::move(own), std::move(token)));
}

}  // namespace spanway::ingress
