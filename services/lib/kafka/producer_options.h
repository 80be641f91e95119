// The settings of librdkafka and of admission that follow from a producer's configuration. Private
// to services/lib/kafka.
#pragma once

#include "services/lib/kafka/client_config.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/produce_admission.h"
#include "services/lib/kafka/producer_config.h"

namespace spanway::kafka {

ProduceAdmission::Limits admission_limits(const ClientConfig& client, const ProducerConfig& config);

namespace native {
// librdkafka's default.
inline constexpr std::size_t kBatchBytes = 1'000'000;
// The size of batches for topics whose max.message.bytes is this, at most the default.
std::size_t batch_bytes_for(std::size_t message_bytes_max) noexcept;
void apply_producer(Conf& conf, const ProducerConfig& config, std::size_t batch_bytes_max);
}  // namespace native

}  // namespace spanway::kafka
