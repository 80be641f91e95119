// Sends requests by a plan and keeps account of every one of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/pipeline/sink.h"
#include "services/load/ledger.h"
#include "services/load/load_plan.h"
#include "services/load/report.h"
#include "services/load/request_template.h"
#include "services/load/send_queue.h"

namespace spanway::load {

struct GeneratorOptions {
  std::vector<otlp::Signal> signals = {otlp::Signal::kTraces};  // In turn, request by request.
  PlanOptions plan;
  TemplateOptions contents;    // `items` is the plan's batch.
  std::size_t distinct = 16;   // Templates of each signal.
  std::size_t workers = 2;     // Threads.
  std::size_t in_flight = 16;  // Undecided requests of each worker.
  RetryOptions retry;
  Duration timeout = std::chrono::seconds(10);  // For one attempt.
  // After the plan's end; what is undecided then has failed.
  Duration finish_within = std::chrono::seconds(60);
  std::string tenant;
  std::uint64_t run = 0;   // See item_id.h.
  std::uint64_t seed = 1;  // For contents and jitter.
};

// Thread contract: one owner; run() starts and joins the workers. Memory: the templates, and
// workers x in_flight requests.
class Generator {
 public:
  // `target` and `ledger` (may be null) outlive the generator and every answer.
  Generator(GeneratorOptions options, pipeline::Sink& target, LedgerWriter* ledger,
            const Clock& clock);
  ~Generator();

  // Blocks until every request is decided, or the time for that is over. A stop request sends
  // nothing new and waits for what is in flight, at most `timeout`.
  Report run(std::stop_token stop);

 private:
  struct Shared;
  class Worker;
  // Shared with the answers, which may come after the end.
  const std::shared_ptr<Shared> shared_;
};

}  // namespace spanway::load
