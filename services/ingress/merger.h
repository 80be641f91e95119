// Joins small requests of one tenant and signal, so that the hops behind see few large ones.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "services/ingress/config.h"
#include "services/ingress/events.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::ingress {

// Thread-safe. One shard per executor: a request is collected in the shard of the io thread it
// arrived on, under that shard's own mutex, which no other thread uses.
//
// A joined request is sent on when it is full or after the linger; each client's answer waits for
// the answer from behind. While it is under way the parts are kept (under their own permits; the
// joined bytes have one of their own, without memory for which the parts are forwarded unjoined):
//  - accepted: every client gets success. Items that a next hop of another vendor rejected cannot
//    be attributed to a client, and must not be sent again: the clients' counts add up to them,
//    each gets a warning, and for five minutes no request of that tenant and signal is joined, so
//    that each client gets its own count.
//  - refused for its data (also when a bridge with stricter limits would reject one of its items:
//    pipeline::Metadata::all_or_nothing), or for an unknown reason: every part is sent once more,
//    alone, so that each client gets its own answer. This is not a retry: nothing is sent twice
//    that was accepted.
//  - refused otherwise: every client gets that refusal and may try again.
//
// Bounds: buckets_max open buckets per shard, each of bytes_max, items_max and requests_max.
// Destroy after drain(), or when no thread calls send() any more; answers may come later.
class Merger final : public pipeline::Sink {
 public:
  // `executors` is not empty; they, `budget` and `next` outlive this object.
  Merger(MergeConfig config, std::vector<Executor*> executors, pipeline::Sink& next,
         MemoryBudget& budget, const Clock& clock, Events events);
  ~Merger() override;

  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

  // Requests that are waiting for others now.
  std::size_t waiting() const;

 private:
  struct Core;
  class Shard;
  Shard& shard_of_this_thread() noexcept;
  bool passes_through(const pipeline::Batch& batch) const noexcept;

  const std::shared_ptr<Core> core_;
  std::vector<Executor*> executors_;
  std::vector<std::shared_ptr<Shard>> shards_;
};

}  // namespace spanway::ingress
