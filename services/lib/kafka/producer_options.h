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
void apply_producer(Conf& conf, const ProducerConfig& config);
}  // namespace native

}  // namespace spanway::kafka
