#include "services/lib/kafka/produce_record.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <map>

#include "services/lib/base/check.h"

namespace spanway::kafka {
namespace {

constexpr std::size_t kHeadersMax = 10;   // Per record.
constexpr std::size_t kRecordCost = 256;  // Per record, besides its payload and key.

}  // namespace

// Headers come from our own code, never from a client: too many are a bug and no evidence about the
// data, so the error is not of kind data.
Status check_headers(const Record& record) {
  if (record.headers.size() <= kHeadersMax) return ok_status();
  count_bug("kafka_record_headers");
  return unknown_error(Code::kInternal, "a record for topic " + std::string(record.topic) +
                                            " carries " + std::to_string(record.headers.size()) +
                                            " headers, at most " + std::to_string(kHeadersMax) +
                                            " are supported; report this as a bug");
}

std::size_t charge_of(const Record& record) noexcept {
  return record.payload.size() + record.key.size() + kRecordCost;
}

std::vector<ProduceAdmission::Part> parts_of(std::span<const Record> records) {
  std::map<std::int32_t, ProduceAdmission::Part> by_partition;
  for (const Record& record : records) {
    ProduceAdmission::Part& part =
        by_partition.try_emplace(record.partition, ProduceAdmission::Part{record.partition, 0, 0})
            .first->second;
    part.bytes += charge_of(record);
    ++part.records;
  }
  std::vector<ProduceAdmission::Part> parts;
  for (const auto& [partition, part] : by_partition) parts.push_back(part);
  return parts;
}

namespace native {

int produce(rd_kafka_t* handle, const std::string& topic, Record& record, Bytes& payload,
            void* opaque) {
  std::array<rd_kafka_vu_t, 5 + kHeadersMax> arguments{};
  std::size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    arguments[count].vtype = type;
    return arguments[count++];
  };
  add(RD_KAFKA_VTYPE_TOPIC).u.cstr = topic.c_str();
  add(RD_KAFKA_VTYPE_PARTITION).u.i32 = record.partition;
  // No F_COPY, no F_FREE: the bytes stay ours until the report.
  add(RD_KAFKA_VTYPE_VALUE).u.mem = {payload.data(), payload.size()};
  if (!record.key.empty()) {
    add(RD_KAFKA_VTYPE_KEY).u.mem = {record.key.data(), record.key.size()};
  }
  for (const auto& [name, value] : record.headers) {
    add(RD_KAFKA_VTYPE_HEADER).u.header = {name.c_str(), value.data(),
                                           static_cast<ssize_t>(value.size())};
  }
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = opaque;
  rd_kafka_error_t* error = rd_kafka_produceva(handle, arguments.data(), count);
  if (error == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
  const int code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  return code;
}

}  // namespace native
}  // namespace spanway::kafka
