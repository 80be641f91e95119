// Creation and ownership of librdkafka handles. Private to services/lib/kafka.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/telemetry/telemetry.h"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_partition_list_s;

namespace spanway::kafka::native {

enum class Role { kProducer, kConsumer, kAdmin };

// The opaque of every handle: receives its callbacks. Outlives the handle.
class Callbacks {
 public:
  explicit Callbacks(const telemetry::Logger& log) : log_(log) {}
  virtual ~Callbacks() = default;
  // On the thread that polls the handle. `fatal`: the handle must be replaced.
  virtual void on_error(int code, const std::string& text, bool fatal) noexcept = 0;
  const telemetry::Logger& log() const noexcept { return log_; }

 private:
  const telemetry::Logger& log_;
};

// A configuration under construction; the first setting that is rejected is kept for status().
class Conf {
 public:
  Conf();
  ~Conf();
  Conf(const Conf&) = delete;
  Conf& operator=(const Conf&) = delete;

  // `key` is ours, for the error.
  void set(const char* name, const std::string& value, const std::string& key = "kafka");
  void set(const char* name, std::int64_t value) { set(name, std::to_string(value)); }
  rd_kafka_conf_s* raw() noexcept { return conf_; }
  // For a setting whose value could not be determined.
  void note(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  const Status& status() const noexcept { return status_; }

 private:
  friend struct HandleFactory;
  rd_kafka_conf_s* conf_;
  Status status_;
};

// Brokers, TLS, SASL, timeouts, logging. Raw settings are applied last, by apply_raw.
void apply_client(Conf& conf, const ClientConfig& client, Callbacks& callbacks);
void apply_raw(Conf& conf, const ClientConfig& client, Role role);

struct HandleDeleter {
  void operator()(rd_kafka_s* handle) const noexcept;
};
using Handle = std::unique_ptr<rd_kafka_s, HandleDeleter>;
// Takes the ownership of `conf`, which was made of `client`. Errors begin with their key:
// "kafka.tls.ca_file: ...".
Result<Handle> create_handle(Conf& conf, const ClientConfig& client, Role role);

struct QueueDeleter {
  void operator()(rd_kafka_queue_s* queue) const noexcept;
};
using Queue = std::unique_ptr<rd_kafka_queue_s, QueueDeleter>;

struct PartitionListDeleter {
  void operator()(rd_kafka_topic_partition_list_s* list) const noexcept;
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_s, PartitionListDeleter>;
PartitionList make_partition_list(int size);

}  // namespace spanway::kafka::native
