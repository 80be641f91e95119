// An idempotent, acks=all producer: one librdkafka handle and one poll thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/kafka/producer_config.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka {

struct Record {
  std::string_view topic;  // Copied before produce() or produce_all() returns.
  std::int32_t partition = 0;
  std::string key;  // Empty = no key.
  Bytes payload;    // Kept, not copied, until the report.
  std::vector<std::pair<std::string, std::string>> headers;
};

// Thread-safe.
class Producer {
 public:
  // Exactly once per accepted record, on the poll thread. transient: unreachable, timed out, queue
  // full; data: too large; configuration: unknown topic, not authorised.
  using Report = std::function<void(Status)>;

  static Result<std::unique_ptr<Producer>> create(const ClientConfig& client,
                                                  const ProducerConfig& config, const Clock& clock,
                                                  telemetry::Telemetry telemetry);
  virtual ~Producer() = default;
  // The same for the records of one request, by index.
  using RequestReport = std::function<void(std::size_t record, Status)>;
  // Always leads to exactly one report, also when the queue is full (then before it returns).
  virtual void produce(Record record, Report report) noexcept = 0;
  // All of `records`, which belong to one topic, or none: room for the request is reserved before
  // its first record, and a request with a record for a failing partition is refused. An error:
  // nothing was written and nothing will be reported. OK: exactly one report for each record, some
  // perhaps before it returns.
  virtual Status produce_all(std::vector<Record> records, RequestReport report) noexcept = 0;
  // The partitions of a topic, refreshed in the background; never blocks. UNAVAILABLE until the
  // first metadata; configuration (NOT_FOUND) when the brokers have no such topic.
  virtual Result<std::int32_t> partition_count(std::string_view topic) = 0;
  // Latches with the first metadata answer.
  virtual bool connected_once() const noexcept = 0;
  virtual bool reachable() const noexcept = 0;  // A broker is up now.
  // The most specific error of the client library; empty once a broker has answered since.
  virtual std::string last_error() const = 0;
  virtual std::size_t queue_bytes() const noexcept = 0;
  // This host's clock minus the brokers' (clock_watch.h); 0 while nothing is known.
  virtual Duration clock_difference() const noexcept { return {}; }
  // Records that are written together take at most so many bytes, if there are several: for topics
  // whose max.message.bytes is below the client library's size of batches.
  virtual void limit_batches(std::size_t) noexcept {}
  // Waits for all reports; true when all have come.
  virtual bool drain(Deadline deadline) = 0;
};

}  // namespace spanway::kafka
