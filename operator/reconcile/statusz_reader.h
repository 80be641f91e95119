// GET /statusz of many pods: never Kafka itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "operator/decide/statusz_report.h"
#include "services/lib/base/clock.h"

namespace spanway::reconcile {

// Polls many pods at once: at most 32 at a time, at most 4 of one node, so that a node that hangs
// holds up its own pods only. When the first 4 of a node do not answer, its other pods are reported
// as not answered without a request. Thread-safe.
class StatuszReader {
 public:
  struct Address {
    std::string pod;
    std::string ip;
    std::uint16_t port = 8080;
    std::string node = {};  // Empty = not known.
  };
  virtual ~StatuszReader() = default;
  // Blocks until all have answered or failed. By pod name.
  virtual std::map<std::string, decide::StatuszReport> read(const std::vector<Address>& pods) = 0;
};
// Over HTTP. Each pod has its timeout and kStatuszBytesMax.
std::unique_ptr<StatuszReader> make_statusz_reader(Duration timeout = std::chrono::seconds(2));

// Polls one pod and calls back once, on any thread, also at once; a pod that is silent for longer
// than the reader's timeout is a report that was not answered. What it returns lives until the
// pods of this read() have answered.
using StatuszFetch = std::function<std::shared_ptr<void>(
    const StatuszReader::Address& pod, std::function<void(decide::StatuszReport)> done)>;
// The same over any transport. `clock` outlives it.
std::unique_ptr<StatuszReader> make_statusz_reader(StatuszFetch fetch, const Clock& clock,
                                                   Duration timeout);

}  // namespace spanway::reconcile
