#include "services/lib/sinks/batch_json.h"

#include <utility>

#include "services/lib/otlp/otlp_json.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {
namespace {

constexpr std::size_t kUsualGrowth = 4;
constexpr std::size_t kGrowthMax = 16;
// Small batches grow by more than their size says.
constexpr std::size_t kFloorBytes = 4096;

}  // namespace

Result<std::string> batch_to_json(pipeline::Batch& batch) {
  const std::size_t held = batch.permit.bytes();
  const auto convert = [&](std::size_t growth) -> Result<std::string> {
    const std::size_t text_bytes_max = growth * batch.payload.size() + kFloorBytes;
    if (!batch.permit.grow_to(held + text_bytes_max)) return no_memory("convert a batch to JSON");
    return otlp::protobuf_to_json(batch.signal, batch.payload.view(), text_bytes_max);
  };
  auto json = convert(kUsualGrowth);
  if (!json.ok() && json.error().code == Code::kResourceExhausted &&
      json.error().refusal == Refusal::kData)
    json = convert(kGrowthMax);
  // A limit of ours, not a refusal by the destination: halving helps.
  if (!json.ok() && json.error().code == Code::kResourceExhausted &&
      json.error().refusal == Refusal::kData) {
    Error error = std::move(json).error();
    error.refusal = Refusal::kUnknown;
    return error;
  }
  if (json.ok()) batch.permit.shrink_to(held + json->size());
  return json;
}

}  // namespace spanway::sinks
