#include "services/lib/kafka/fetch_meter.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <limits>

namespace spanway::kafka {
namespace {

constexpr char kName[] = "spanway_fetch_meter";
constexpr std::int16_t kFetchApi = 1;

// On a broker's thread.
rd_kafka_resp_err_t on_response(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t api,
                                std::int16_t, std::int32_t, std::size_t size, std::int64_t,
                                rd_kafka_resp_err_t, void* opaque) noexcept {
  if (api == kFetchApi) static_cast<FetchMeter*>(opaque)->add(size);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_new(rd_kafka_t* handle, const rd_kafka_conf_t*, void* opaque, char*,
                           std::size_t) noexcept {
  return rd_kafka_interceptor_add_on_response_received(handle, kName, on_response, opaque);
}

}  // namespace

Status FetchMeter::attach(native::Conf& conf) {
  if (rd_kafka_conf_interceptor_add_on_new(conf.raw(), kName, on_new, this) ==
      RD_KAFKA_RESP_ERR_NO_ERROR)
    return ok_status();
  return configuration_error(Code::kInternal,
                             "librdkafka rejects the interceptor of fetch responses");
}

// A function of ours: ci/deps/librdkafka-fetch-max-bytes.patch.
void set_fetch_bytes(rd_kafka_s* handle, std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
  rd_kafka_set_fetch_max_bytes(handle, static_cast<std::int32_t>(std::min(bytes, kMost)));
}

}  // namespace spanway::kafka
