#include "services/lib/kafka/range_reader.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <limits>

#include "services/lib/kafka/client_credentials.h"
#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/last_error.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/queries.h"

namespace spanway::kafka {
namespace {

constexpr int kConnectTries = 5;  // While the first connection is made; 2 s each.
constexpr std::int64_t kPrefetchKib = 16 << 10;

struct MessageDeleter {
  void operator()(rd_kafka_message_t* message) const noexcept { rd_kafka_message_destroy(message); }
};
using Message = std::unique_ptr<rd_kafka_message_t, MessageDeleter>;
struct TopicDeleter {
  void operator()(rd_kafka_topic_t* topic) const noexcept { rd_kafka_topic_destroy(topic); }
};
using Topic = std::unique_ptr<rd_kafka_topic_t, TopicDeleter>;

bool never_stopping() { return false; }

StoredRecord record_of(const rd_kafka_message_t& message) {
  StoredRecord record;
  record.partition = message.partition;
  record.offset = message.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  record.timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? 0 : timestamp;
  if (message.payload != nullptr)
    record.value.assign(static_cast<const char*>(message.payload), message.len);
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return record;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
    record.headers.emplace_back(
        name, value == nullptr ? "" : std::string(static_cast<const char*>(value), size));
  return record;
}

// librdkafka's simple consumer: it needs no group. One partition at a time, so that its prefetch,
// which counts for each partition, has one bound.
class SimpleRangeReader final : public RangeReader, private native::Callbacks {
 public:
  SimpleRangeReader(const ClientConfig& client, ConsumerConfig::Isolation isolation,
                    std::string topic, const telemetry::Logger& log)
      : Callbacks(log),
        name_(std::move(topic)),
        read_committed_(isolation == ConsumerConfig::Isolation::kReadCommitted),
        credentials_(client) {}
  ~SimpleRangeReader() override { stop(); }

  Status open(const ClientConfig& client) {
    native::Conf conf;
    native::apply_client(conf, client, *this);
    conf.set("enable.partition.eof", "true");
    conf.set("allow.auto.create.topics", "false");
    conf.set("isolation.level", read_committed_ ? "read_committed" : "read_uncommitted");
    conf.set("queued.max.messages.kbytes", kPrefetchKib);
    native::apply_raw(conf, client, native::Role::kConsumer);
    SPANWAY_ASSIGN(handle_, native::create_handle(conf, client, native::Role::kConsumer));
    SPANWAY_TRY(credentials_.refresh(handle_.get()));
    rd_kafka_topic_conf_t* settings = rd_kafka_topic_conf_new();
    char text[256];
    rd_kafka_topic_conf_set(settings, "auto.offset.reset", "error", text, sizeof(text));
    topic_.reset(rd_kafka_topic_new(handle_.get(), name_.c_str(), settings));
    if (!topic_) return error_from_code(rd_kafka_last_error(), "topic " + name_);
    queue_.reset(rd_kafka_queue_new(handle_.get()));
    return ok_status();
  }

  Result<OffsetRanges> resolve(const RangeBound& from, const RangeBound& to) override {
    SPANWAY_ASSIGN(const std::int32_t count, count_partitions());
    std::vector<TopicPartition> partitions;
    for (std::int32_t p = 0; p < count; ++p) partitions.push_back({name_, p});
    SPANWAY_ASSIGN(const auto marks, watermarks(partitions));
    SPANWAY_ASSIGN(const auto begins, offsets_of(from, marks, &Watermarks::low));
    SPANWAY_ASSIGN(const auto ends, offsets_of(to, marks, &Watermarks::high));
    OffsetRanges ranges;
    for (const auto& [partition, mark] : marks) {
      const OffsetRange range{std::clamp(begins.at(partition), mark.low, mark.high),
                              std::clamp(ends.at(partition), mark.low, mark.high)};
      if (range.begin < range.end) ranges[partition] = range;
    }
    return ranges;
  }

  Result<std::int64_t> start(std::int32_t partition, OffsetRange range) override {
    stop();
    SPANWAY_ASSIGN(const auto marks, watermarks({{name_, partition}}));
    const Watermarks& mark = marks.at(partition);
    if (range.end > mark.high)
      return configuration_error(Code::kOutOfRange,
                                 place(partition) + " ends at offset " + std::to_string(mark.high) +
                                     ", before " + std::to_string(range.end) +
                                     ": the topic was created again, or has lost records");
    range.begin = std::max(range.begin, mark.low);
    left_ = range;
    partition_ = partition;
    if (at_end()) return range.begin;
    if (rd_kafka_consume_start_queue(topic_.get(), partition, range.begin, queue_.get()) != 0)
      return error_from_code(rd_kafka_last_error(), "reading " + place(partition));
    started_ = true;
    return range.begin;
  }

  Result<std::optional<StoredRecord>> next(Duration wait) override {
    rd_kafka_poll(handle_.get(), 0);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(wait).count();
    const Message message(rd_kafka_consume_queue(queue_.get(), static_cast<int>(ms)));
    if (!message || !started_) return std::optional<StoredRecord>();
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // Transaction markers and deleted records lie between the last record and the log's end.
      if (message->offset >= left_.end) left_.begin = left_.end;
      return std::optional<StoredRecord>();
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(*message);
    errors_.clear();
    left_.begin = std::min(message->offset + 1, left_.end);
    if (message->offset >= left_.end) return std::optional<StoredRecord>();
    return std::optional<StoredRecord>(record_of(*message));
  }

  bool at_end() const override { return left_.begin >= left_.end; }
  Status brokers() const override { return errors_.get(); }

 private:
  void on_error(int code, const std::string& text, bool) noexcept override {
    errors_.note(error_from_code(code, text));
  }

  std::string place(std::int32_t partition) const {
    return name_ + " partition " + std::to_string(partition);
  }

  void stop() {
    if (!std::exchange(started_, false)) return;
    rd_kafka_consume_stop(topic_.get(), partition_);
    while (const Message dropped{rd_kafka_consume_queue(queue_.get(), 0)}) continue;
  }

  // A transient error is over by itself: the library resumes.
  Result<std::optional<StoredRecord>> failed(const rd_kafka_message_t& message) {
    if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
      return configuration_error(Code::kOutOfRange,
                                 place(partition_) + ": records were deleted while they were read");
    Error error = error_from_code(message.err, "reading " + place(partition_));
    if (error.refusal != Refusal::kTransient) return error;
    errors_.note(error);
    return std::optional<StoredRecord>();
  }

  Result<std::int32_t> count_partitions() {
    Status last = ok_status();
    for (int i = 0; i < kConnectTries; ++i) {
      auto topics = native::describe_topics(handle_.get(), {name_}, never_stopping);
      rd_kafka_poll(handle_.get(), 0);
      if (topics.ok()) {
        const native::TopicDescription& topic = topics->front();
        if (topic.partitions > 0) return topic.partitions;
        return error_from_code(topic.error, "topic " + name_);
      }
      last = std::move(topics).error();
    }
    errors_.note(last.error());
    return errors_.get().error();
  }

  Result<std::map<std::int32_t, Watermarks>> watermarks(
      const std::vector<TopicPartition>& partitions) {
    const auto low =
        native::list_offsets(handle_.get(), partitions, native::LogEnd::kFirst, read_committed_);
    SPANWAY_TRY(low.status);
    const auto high =
        native::list_offsets(handle_.get(), partitions, native::LogEnd::kLast, read_committed_);
    SPANWAY_TRY(high.status);
    std::map<std::int32_t, Watermarks> marks;
    for (const TopicPartition& partition : partitions) {
      const auto first = low.found.find(partition), last = high.found.find(partition);
      if (first == low.found.end() || last == high.found.end())
        return unavailable("no broker has answered for the offsets of " +
                           place(partition.partition));
      marks[partition.partition] = {first->second.offset, last->second.offset};
    }
    return marks;
  }

  // Without a bound: the end of the log on that side.
  Result<std::map<std::int32_t, std::int64_t>> offsets_of(
      const RangeBound& bound, const std::map<std::int32_t, Watermarks>& marks,
      std::int64_t Watermarks::*end) {
    std::map<std::int32_t, std::int64_t> offsets;
    for (const auto& [partition, mark] : marks)
      offsets[partition] = bound.offset.value_or(mark.*end);
    if (!bound.time_ms) return offsets;
    const native::PartitionList list = native::make_partition_list(static_cast<int>(marks.size()));
    for (const auto& [partition, mark] : marks)
      rd_kafka_topic_partition_list_add(list.get(), name_.c_str(), partition)->offset =
          *bound.time_ms;
    const rd_kafka_resp_err_t error =
        rd_kafka_offsets_for_times(handle_.get(), list.get(), 2 * native::kQueryTimeoutMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      return error_from_code(error, "offsets of " + name_ + " by time");
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& entry = list->elems[i];
      if (entry.err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_from_code(entry.err, "offset of " + place(entry.partition) + " by time");
      // No record is as new: the range begins, or ends, at the log's end.
      offsets[entry.partition] = entry.offset < 0 ? marks.at(entry.partition).high : entry.offset;
    }
    return offsets;
  }

  const std::string name_;
  const bool read_committed_;
  native::ClientCredentials credentials_;
  LastError errors_;
  native::Handle handle_;
  Topic topic_;
  native::Queue queue_;
  bool started_ = false;
  std::int32_t partition_ = 0;
  OffsetRange left_;  // Not read yet.
};

}  // namespace

Result<std::unique_ptr<RangeReader>> create_range_reader(const ClientConfig& client,
                                                         ConsumerConfig::Isolation isolation,
                                                         std::string topic,
                                                         const telemetry::Logger& log) {
  auto reader = std::make_unique<SimpleRangeReader>(client, isolation, std::move(topic), log);
  SPANWAY_TRY(reader->open(client));
  return std::unique_ptr<RangeReader>(std::move(reader));
}

}  // namespace spanway::kafka
