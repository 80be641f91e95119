// One request until the pipeline has taken it or said no, as the OTLP specification asks of
// clients.
#pragma once

#include <functional>
#include <memory>

#include "services/lib/base/backoff.h"
#include "services/lib/base/executor.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::testapp {

struct DeliveryOptions {
  BackoffOptions backoff = {.initial = std::chrono::seconds(1), .max = std::chrono::seconds(30)};
  // For one attempt.
  Duration timeout = std::chrono::seconds(10);
  // After this, a request that is still refused for now is given up.
  Duration give_up_after = std::chrono::seconds(60);
};

// Retries transient refusals only, with exponential back-off and jitter, never sooner than the
// pipeline requested; a partial success is never sent again. Everything runs on `executor`, which
// outlives the delivery, as does the sink. Keeps itself alive until it is done; when the executor
// stops before, `done` never runs.
class Delivery : public std::enable_shared_from_this<Delivery> {
 public:
  struct Report {
    Result<pipeline::Outcome> answer = pipeline::Outcome{};
    int tries = 0;
  };
  using Done = std::function<void(Report)>;

  static void start(pipeline::Batch batch, DeliveryOptions options, Random random,
                    pipeline::Sink& sink, Executor& executor, Done done);

 private:
  Delivery(pipeline::Batch batch, DeliveryOptions options, Random random, pipeline::Sink& sink,
           Executor& executor, Done done);
  void attempt();
  void on_answer(Result<pipeline::Outcome> answer);

  const pipeline::Batch batch_;
  const DeliveryOptions options_;
  Backoff backoff_;
  pipeline::Sink& sink_;
  Executor& executor_;
  Done done_;
  const SteadyTime give_up_at_;
  int tries_ = 0;
};

}  // namespace spanway::testapp
