#include "services/testapp/telemetry_delivery.h"

#include <algorithm>
#include <utility>

namespace spanway::testapp {

Delivery::Delivery(pipeline::Batch batch, DeliveryOptions options, Random random,
                   pipeline::Sink& sink, Executor& executor, Done done)
    : batch_(std::move(batch)),
      options_(options),
      backoff_(options.backoff, random),
      sink_(sink),
      executor_(executor),
      done_(std::move(done)),
      give_up_at_(executor.clock().now() + options.give_up_after) {}

void Delivery::start(pipeline::Batch batch, DeliveryOptions options, Random random,
                     pipeline::Sink& sink, Executor& executor, Done done) {
  const std::shared_ptr<Delivery> delivery(
      new Delivery(std::move(batch), options, random, sink, executor, std::move(done)));
  delivery->attempt();
}

void Delivery::attempt() {
  ++tries_;
  pipeline::Batch copy = batch_.clone(Permit());
  copy.deadline = Deadline::after(executor_.clock(), options_.timeout);
  sink_.send(std::move(copy),
             pipeline::AckToken([self = shared_from_this()](Result<pipeline::Outcome> answer) {
               // The answer comes on a thread of the sink.
               self->executor_.post(
                   [self, shared = std::make_shared<Result<pipeline::Outcome>>(std::move(answer))] {
                     self->on_answer(std::move(*shared));
                   });
             }));
}

void Delivery::on_answer(Result<pipeline::Outcome> answer) {
  if (answer.ok() || answer.error().refusal != Refusal::kTransient) {
    done_({std::move(answer), tries_});
    return;
  }
  const Duration requested = answer.error().retry_after.value_or(std::chrono::milliseconds(0));
  const Duration wait = std::max(backoff_.next(), requested);
  if (executor_.clock().now() + wait >= give_up_at_) {
    done_({std::move(answer), tries_});
    return;
  }
  executor_.post_after(wait, [self = shared_from_this()] { self->attempt(); });
}

}  // namespace spanway::testapp
