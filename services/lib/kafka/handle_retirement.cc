#include "services/lib/kafka/handle_retirement.h"

#include <librdkafka/rdkafka.h>

#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/kafka/native.h"

namespace spanway::kafka::native {
namespace {

constexpr Duration kPurgeWait = std::chrono::seconds(5);
constexpr int kPollMs = 10;

}  // namespace

void retire(std::shared_ptr<rd_kafka_s> old, const Clock& clock, Duration timeout,
            const std::function<bool()>& stopping) {
  if (!old) return;
  const auto is_busy = [&old] { return old.use_count() > 1 || rd_kafka_outq_len(old.get()) > 0; };
  const Deadline confirmed = Deadline::after(clock, timeout);
  while (is_busy() && !confirmed.passed(clock.now()) && !stopping()) {
    rd_kafka_poll(old.get(), kPollMs);
  }
  const Deadline purged = Deadline::after(clock, kPurgeWait);
  while (rd_kafka_outq_len(old.get()) > 0 && !purged.passed(clock.now())) {
    rd_kafka_purge(old.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(old.get(), kPollMs);
  }
  if (rd_kafka_outq_len(old.get()) > 0) count_bug("kafka_producer_unreported_records");
}

void retire(std::shared_ptr<rd_kafka_s> old, const Clock& clock) {
  retire(std::move(old), clock, Duration::zero(), [] { return true; });
}

void wake_poll(rd_kafka_s* handle) {
  const Queue reports(rd_kafka_queue_get_main(handle));
  rd_kafka_queue_yield(reports.get());
}

}  // namespace spanway::kafka::native
