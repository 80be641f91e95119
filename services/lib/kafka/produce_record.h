// Passes one record to librdkafka. Private to services/lib/kafka.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/produce_admission.h"
#include "services/lib/kafka/producer.h"

struct rd_kafka_s;

namespace spanway::kafka {

// Too many headers (10 at most): a bug of ours, counted, of kind unknown.
Status check_headers(const Record& record);
// The memory of a record, here and in librdkafka.
std::size_t charge_of(const Record& record) noexcept;
// The records by partition.
std::vector<ProduceAdmission::Part> parts_of(std::span<const Record> records);

namespace native {

// Key, headers and partition are those of `record`. `payload` stays valid until the delivery
// report, which carries `opaque`. Returns an rd_kafka_resp_err_t: on an error there is no report.
int produce(rd_kafka_s* handle, const std::string& topic, Record& record, Bytes& payload,
            void* opaque);

}  // namespace native
}  // namespace spanway::kafka
