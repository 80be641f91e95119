// The settings of librdkafka that follow from a consumer's configuration, and the refusals of a
// group that follow from wrong ones. Private to services/lib/kafka.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/lib/kafka/consumer_config.h"
#include "services/lib/kafka/native.h"

namespace spanway::kafka {

// The reason why the coordinator does not admit a consumer, and the remedy; nothing for other
// errors (`code`: rd_kafka_resp_err_t).
std::optional<std::string> group_refusal(int code, const std::string& group);

namespace native {
// `topics`: the subscription. Without fetch.max.bytes, which changes while the consumer runs.
void apply_consumer(Conf& conf, const ConsumerConfig& config,
                    const std::vector<std::string>& topics);
}  // namespace native

}  // namespace spanway::kafka
