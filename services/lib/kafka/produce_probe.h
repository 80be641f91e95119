// A request that probes failing partitions: its other records wait until these have confirmed.
// Private to services/lib/kafka.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/producer.h"

namespace spanway::kafka {

// Shared by the reports of its records.
struct ProduceProbe {
  std::string topic;
  std::vector<std::pair<std::size_t, Record>> waiting;  // With the place in the request.
  Producer::RequestReport report;

  Mutex mutex;
  std::size_t outstanding SPANWAY_GUARDED_BY(mutex) = 0;
  std::optional<Error> failure SPANWAY_GUARDED_BY(mutex);
};

}  // namespace spanway::kafka
