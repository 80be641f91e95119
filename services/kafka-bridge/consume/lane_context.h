// Dependencies and options of a partition's lane and its deliveries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "services/kafka-bridge/config.h"
#include "services/kafka-bridge/consume/batch_merger.h"
#include "services/kafka-bridge/consume/budget_shares.h"
#include "services/kafka-bridge/consume/dead_letters.h"
#include "services/kafka-bridge/consume/evidence.h"
#include "services/kafka-bridge/consume/request_coalescer.h"
#include "services/kafka-bridge/consume/stalls.h"
#include "services/kafka-bridge/events.h"
#include "services/lib/base/closable_executor.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/random.h"

namespace spanway::kafka_bridge {

// All outlive the lane.
struct LaneDeps {
  Executor& executor;
  const std::shared_ptr<ClosableExecutor> answers_on;  // To that executor.
  RequestCoalescer& coalescer;
  DeadLetterWriter& dead_letters;
  MemoryBudget& budget;
  BudgetShares& shares;
  ConsumeEvents& events;
  EvidenceLedger& ledger;
  Stalls& stalls;
  Random& random;
};

struct LaneOptions {
  std::string topic;
  std::int32_t partition = 0;
  otlp::Signal signal = otlp::Signal::kTraces;
  MergeLimits merge;
  Duration linger = std::chrono::milliseconds(5);
  std::size_t max_in_flight = 8;
  RetryConfig retry;
  bool copy_partial = true;
  bool batch_identity = false;
};

}  // namespace spanway::kafka_bridge
