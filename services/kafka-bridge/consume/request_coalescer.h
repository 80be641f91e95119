// The last step before the destination: joins what the lanes send at about the same time to one
// request. A partition alone seldom fills a request, and what a request costs hardly depends on its
// size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/callback_guard.h"
#include "services/lib/base/closable_executor.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/fair_shares.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/pipeline/pieces.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::kafka_bridge {

// One batch to send. The bytes stay the delivery's, which needs them for the next try.
struct DeliveryRequest {
  otlp::Signal signal = otlp::Signal::kTraces;
  std::string tenant;
  pipeline::Pieces payload;
  std::uint64_t item_count = 0;
  std::string batch_id;  // Set = travels alone.
  // Was refused before: must not make others fail, nor be classified by them.
  bool alone = false;
};

// How it went for one request.
struct DeliveryResult {
  std::uint64_t rejected = 0;  // Its share of what was refused for good; the shares add up.
  // Counts of the whole request: the destination does not name the batch of a rejected item.
  std::uint64_t request_rejected = 0;
  std::uint64_t request_items = 0;
  std::string message;
};

struct CoalescerOptions {
  std::size_t bytes_max = 3584u << 10;  // Per request; larger batches are sent alone.
  std::uint64_t items_max = 50'000;
  Duration linger = std::chrono::milliseconds(5);  // Zero = nothing is joined.
  Duration send_timeout = std::chrono::seconds(30);
  // Requests that the sink takes at once, shared among tenants (base/fair_shares.h); further
  // requests of a tenant that has its share wait here.
  std::size_t in_flight_max = 256;
};

// Single-thread: everything on the executor; answers of the sink are posted there. Order: what is
// joined keeps the order of arrival. A joined request that is refused for its data, or for no
// clear reason, is sent again in its parts, so that each lane gets its own answer. Bound: what the
// lanes have in flight.
class RequestCoalescer {
 public:
  using Answer = std::function<void(Result<DeliveryResult>)>;

  // All outlive it, except that the sink may answer later.
  RequestCoalescer(CoalescerOptions options, Executor& executor,
                   std::shared_ptr<ClosableExecutor> answers_on, pipeline::Sink& sink,
                   MemoryBudget& budget);
  ~RequestCoalescer();
  // `answer` runs once, never before send() returns, and not after the coalescer's end.
  void send(DeliveryRequest request, Answer answer);

 private:
  struct Waiting {
    DeliveryRequest request;
    Answer answer;
  };
  // Requests that wait for others of their signal and tenant.
  struct Bucket {
    std::vector<Waiting> waiting;
    std::size_t bytes = 0;
    std::uint64_t items = 0;
    Timer timer;
  };
  using Key = std::pair<otlp::Signal, std::string>;

  void flush(const Key& key);
  void send(std::vector<Waiting> parts);
  void send_now(std::vector<Waiting> parts);
  void send_held();
  void on_answer(std::vector<Waiting>& parts, Result<pipeline::Outcome> result);
  void answer(std::vector<Waiting>& parts, Result<pipeline::Outcome> result);
  static void share_out(std::vector<Waiting>& parts, const pipeline::Outcome& outcome);

  const CoalescerOptions options_;
  Executor& executor_;
  const std::shared_ptr<ClosableExecutor> answers_on_;
  pipeline::Sink& sink_;
  MemoryBudget& budget_;
  std::map<Key, Bucket> buckets_;
  FairShares shares_;                                             // Requests that are not answered.
  std::map<std::string, std::deque<std::vector<Waiting>>> held_;  // By tenants with their share.
  CallbackGuard guard_;  // Guards functions posted to the executor.
};

}  // namespace spanway::kafka_bridge
