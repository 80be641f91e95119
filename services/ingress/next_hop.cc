#include "services/ingress/next_hop.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "services/lib/base/mutex.h"

namespace spanway::ingress {
namespace {

constexpr Duration kProbeInterval = std::chrono::seconds(1);
constexpr Duration kProbeTimeout = std::chrono::seconds(5);

// Reasons that our own side gives before anything was sent.
bool is_local_reason(std::string_view reason) noexcept {
  return reason == "sink_full" || reason == "draining" || reason == "stopping";
}

}  // namespace

bool is_answer_of_service(const Error& error) noexcept {
  switch (error.code) {
    case Code::kDeadlineExceeded:
    case Code::kCancelled:
      return false;
    case Code::kUnavailable:
    case Code::kInternal:
    case Code::kUnknown:
      // The gRPC library uses these codes for its own failures too, but gives neither a reason nor
      // a time to wait.
      return (error.reason[0] != '\0' || error.retry_after.has_value()) &&
             !is_local_reason(error.reason);
    default:
      return true;
  }
}

struct NextHop::State : std::enable_shared_from_this<NextHop::State> {
  State(pipeline::Sink& n, const Clock& c, Events e) : next(n), clock(c), events(std::move(e)) {}

  void observe(const Result<pipeline::Outcome>& result) noexcept {
    if (answered.load(std::memory_order_relaxed)) return;
    if (result.ok() || is_answer_of_service(result.error())) answered.store(true);
  }
  void probe(Executor& executor);
  void probe_later(Executor& executor) {
    executor.post_after(kProbeInterval, [weak = weak_from_this(), &executor] {
      if (const auto self = weak.lock()) self->probe(executor);
    });
  }

  pipeline::Sink& next;
  const Clock& clock;
  const Events events;
  std::atomic<bool> answered{false};
  std::atomic<bool> closed{false};
};

// At most one probe is under way: the next one is timed by its answer.
void NextHop::State::probe(Executor& executor) {
  if (answered.load() || closed.load()) return;
  pipeline::Batch empty;
  empty.deadline = Deadline::after(clock, kProbeTimeout);
  next.send(std::move(empty),
            pipeline::AckToken([self = shared_from_this(), &executor](Result<pipeline::Outcome> r) {
              self->observe(r);
              if (self->answered.load() || self->closed.load()) return;
              self->events.log().limited(telemetry::LogLevel::kWarn, "ingress.next_hop_silent",
                                         "The next hop has not answered yet",
                                         {{"error", r.ok() ? "" : r.error().message}});
              self->probe_later(executor);
            }));
}

NextHop::NextHop(pipeline::Sink& next, const Clock& clock, Events events)
    : next_(next), state_(std::make_shared<State>(next, clock, std::move(events))) {}

NextHop::~NextHop() { state_->closed.store(true); }

void NextHop::start_probing(Executor& executor) {
  executor.post([weak = std::weak_ptr<State>(state_), &executor] {
    if (const auto self = weak.lock()) self->probe(executor);
  });
}

bool NextHop::has_answered() const noexcept { return state_->answered.load(); }

void NextHop::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  // The answer function has to be copyable, a token is not.
  struct Pending {
    pipeline::AckToken token;
    std::shared_ptr<State> state;
    otlp::Signal signal;
    SteadyTime since;
  };
  auto pending = std::make_shared<Pending>(
      Pending{std::move(token), state_, batch.signal, state_->clock.now()});
  next_.send(std::move(batch), pipeline::AckToken([pending](Result<pipeline::Outcome> result) {
               State& state = *pending->state;
               const auto took = std::chrono::duration<double>(state.clock.now() - pending->since);
               state.events.forwarded(pending->signal, took.count());
               state.observe(result);
               pending->token.answer(std::move(result));
             }));
}

bool NextHop::drain(Deadline deadline) {
  state_->closed.store(true);
  return next_.drain(deadline);
}

}  // namespace spanway::ingress
