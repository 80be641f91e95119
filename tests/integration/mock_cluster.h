// librdkafka's mock cluster: real wire protocol over loopback, no disk, faults on demand.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

struct rd_kafka_s;
struct rd_kafka_mock_cluster_s;

namespace spanway::fakes {

// Thread-safe. Topics are made on first use, with 4 partitions, unless made before.
class MockCluster {
 public:
  explicit MockCluster(int brokers = 3);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  // host:port of each broker.
  std::vector<std::string> brokers() const;
  void create_topic(const std::string& topic, int partitions, int replication_factor = 3);
  // Brokers deny that there is such a topic (also for requests that would create it).
  void set_topic_error(const std::string& topic, int error);
  void set_leader(const std::string& topic, std::int32_t partition, std::int32_t broker);
  void set_group_coordinator(const std::string& group, std::int32_t broker);
  void set_down(std::int32_t broker);
  void set_up(std::int32_t broker);
  void set_all(bool up);
  // Every answer comes so late.
  void set_delay(int milliseconds);
  // The errors of the next requests of that kind, in order.
  static constexpr std::int16_t kProduce = 0;
  static constexpr std::int16_t kOffsetCommit = 8;
  static constexpr std::int16_t kOffsetFetch = 9;
  void fail_next(std::int16_t request, const std::vector<int>& errors);
  void fail_no_more(std::int16_t request);
  // Requests of that kind since the first call.
  std::size_t count_requests(std::int16_t request);
  // As retention does: records below `offset` go.
  void delete_records_before(const std::string& topic, std::int32_t partition, std::int64_t offset);

  // Records between the ends of all partitions of a topic together.
  std::int64_t record_count(const std::string& topic, int partitions);
  // The payload bytes of every record, in order of partitions and offsets.
  std::vector<std::string> records(const std::string& topic, int partitions);
  // -1 when nothing is committed.
  std::int64_t committed(const std::string& group, const std::string& topic,
                         std::int32_t partition);

 private:
  rd_kafka_s* handle_;
  rd_kafka_mock_cluster_s* cluster_;
  const int broker_count_;
  std::once_flag counting_;
};

}  // namespace spanway::fakes
