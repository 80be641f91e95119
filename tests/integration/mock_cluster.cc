#include "tests/integration/mock_cluster.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <sstream>
#include <stdexcept>

namespace spanway::fakes {
namespace {

constexpr int kTimeoutMs = 10'000;

rd_kafka_t* make_client(rd_kafka_type_t type,
                        const std::vector<std::pair<std::string, std::string>>& settings) {
  char text[256];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof(text)) !=
        RD_KAFKA_CONF_OK) {
      throw std::runtime_error(text);
    }
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, text, sizeof(text));
  if (client == nullptr) throw std::runtime_error(text);
  return client;
}

}  // namespace

MockCluster::MockCluster(int brokers)
    : handle_(make_client(RD_KAFKA_PRODUCER, {{"client.id", "mock"}})),
      cluster_(rd_kafka_mock_cluster_new(handle_, brokers)),
      broker_count_(brokers) {
  rd_kafka_mock_group_initial_rebalance_delay_ms(cluster_, 0);
}

MockCluster::~MockCluster() {
  rd_kafka_mock_cluster_destroy(cluster_);
  rd_kafka_destroy(handle_);
}

std::vector<std::string> MockCluster::brokers() const {
  std::vector<std::string> list;
  std::stringstream text(rd_kafka_mock_cluster_bootstraps(cluster_));
  for (std::string broker; std::getline(text, broker, ',');) list.push_back(broker);
  return list;
}

void MockCluster::create_topic(const std::string& topic, int partitions, int replication_factor) {
  rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, replication_factor);
}

void MockCluster::set_topic_error(const std::string& topic, int error) {
  rd_kafka_mock_topic_set_error(cluster_, topic.c_str(), static_cast<rd_kafka_resp_err_t>(error));
}

void MockCluster::set_leader(const std::string& topic, std::int32_t partition,
                             std::int32_t broker) {
  rd_kafka_mock_partition_set_leader(cluster_, topic.c_str(), partition, broker);
}

void MockCluster::set_group_coordinator(const std::string& group, std::int32_t broker) {
  rd_kafka_mock_coordinator_set(cluster_, "group", group.c_str(), broker);
}

void MockCluster::set_down(std::int32_t broker) { rd_kafka_mock_broker_set_down(cluster_, broker); }

void MockCluster::set_up(std::int32_t broker) { rd_kafka_mock_broker_set_up(cluster_, broker); }

void MockCluster::set_all(bool up) {
  for (std::int32_t broker = 1; broker <= broker_count_; ++broker) {
    if (up) {
      set_up(broker);
    } else {
      set_down(broker);
    }
  }
}

void MockCluster::set_delay(int milliseconds) {
  for (std::int32_t broker = 1; broker <= broker_count_; ++broker) {
    rd_kafka_mock_broker_set_rtt(cluster_, broker, milliseconds);
  }
}

void MockCluster::fail_next(std::int16_t request, const std::vector<int>& errors) {
  std::vector<rd_kafka_resp_err_t> codes;
  for (const int error : errors) codes.push_back(static_cast<rd_kafka_resp_err_t>(error));
  rd_kafka_mock_push_request_errors_array(cluster_, request, codes.size(), codes.data());
}

void MockCluster::fail_no_more(std::int16_t request) {
  rd_kafka_mock_clear_request_errors(cluster_, request);
}

std::size_t MockCluster::count_requests(std::int16_t request) {
  std::call_once(counting_, [this] { rd_kafka_mock_start_request_tracking(cluster_); });
  std::size_t count = 0;
  rd_kafka_mock_request_t** requests = rd_kafka_mock_get_requests(cluster_, &count);
  std::size_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (rd_kafka_mock_request_api_key(requests[i]) == request) ++found;
  }
  rd_kafka_mock_request_destroy_array(requests, count);
  return found;
}

void MockCluster::delete_records_before(const std::string& topic, std::int32_t partition,
                                        std::int64_t offset) {
  rd_kafka_mock_partition_delete_records(cluster_, topic.c_str(), partition, offset);
}

std::int64_t MockCluster::record_count(const std::string& topic, int partitions) {
  rd_kafka_t* client = make_client(
      RD_KAFKA_CONSUMER,
      {{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster_)}, {"group.id", "count"}});
  std::int64_t count = 0;
  for (int p = 0; p < partitions; ++p) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    if (rd_kafka_query_watermark_offsets(client, topic.c_str(), p, &low, &high, kTimeoutMs) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      count += high - low;
    }
  }
  rd_kafka_destroy(client);
  return count;
}

std::vector<std::string> MockCluster::records(const std::string& topic, int partitions) {
  rd_kafka_t* client = make_client(
      RD_KAFKA_CONSUMER, {{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster_)},
                          {"group.id", "records"},
                          {"enable.partition.eof", "true"}});
  std::vector<std::string> found;
  for (int p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (bool more = true; more;) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(client, kTimeoutMs);
      more = message != nullptr && message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
      if (more) found.emplace_back(static_cast<const char*>(message->payload), message->len);
      if (message != nullptr) rd_kafka_message_destroy(message);
    }
  }
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  return found;
}

std::int64_t MockCluster::committed(const std::string& group, const std::string& topic,
                                    std::int32_t partition) {
  rd_kafka_t* client = make_client(
      RD_KAFKA_CONSUMER,
      {{"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster_)}, {"group.id", group}});
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
  std::int64_t offset = -1;
  if (rd_kafka_committed(client, list, kTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR &&
      list->elems[0].offset >= 0) {
    offset = list->elems[0].offset;
  }
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(client);
  return offset;
}

}  // namespace spanway::fakes
