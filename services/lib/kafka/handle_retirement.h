// The end of a producer's librdkafka handle. Private to services/lib/kafka.
#pragma once

#include <functional>
#include <memory>

#include "services/lib/base/clock.h"

struct rd_kafka_s;

namespace spanway::kafka::native {

// Every record of `old` is reported before the handle is destroyed: librdkafka would forget them.
// Records get `timeout` to be confirmed, until `stopping`; the rest is purged. Blocks for at most
// that and 5 s. Others may hold `old` for as long as they hand one record over.
void retire(std::shared_ptr<rd_kafka_s> old, const Clock& clock, Duration timeout,
            const std::function<bool()>& stopping);

// The same without a timeout: what is not confirmed is purged.
void retire(std::shared_ptr<rd_kafka_s> old, const Clock& clock);
// rd_kafka_poll() of this handle returns.
void wake_poll(rd_kafka_s* handle);

}  // namespace spanway::kafka::native
