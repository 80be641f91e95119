#include "services/query/memory_sink.h"

#include <string>
#include <utility>

namespace spanway::query {

Status MemorySink::add(const pipeline::Batch& batch) {
  const std::string& tenant = batch.metadata.tenant;
  const std::string_view payload = batch.payload.view();
  switch (batch.signal) {
    case otlp::Signal::kTraces:
      if (stores_.traces != nullptr) return stores_.traces->add(tenant, payload);
      break;
    case otlp::Signal::kLogs:
      if (stores_.logs != nullptr) return stores_.logs->add(tenant, payload);
      break;
    case otlp::Signal::kMetrics:
      if (stores_.metrics != nullptr) return stores_.metrics->add(tenant, payload);
      break;
  }
  const std::string signal(otlp::to_string(batch.signal));
  return configuration_error(Code::kUnimplemented, "the memory store does not keep " + signal +
                                                       ": set " + signal + "_from to memory")
      .with_reason("signal_not_supported");
}

void MemorySink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  Status added = add(batch);
  if (!added.ok()) return token.nack(std::move(added).error());
  token.ack();
}

}  // namespace spanway::query
