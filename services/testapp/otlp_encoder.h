// Writes the shop's telemetry as serialized OTLP Export requests.
#pragma once

#include <cstdint>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/otlp/signal.h"
#include "services/testapp/telemetry_model.h"

namespace spanway::testapp {

struct EncodedRequest {
  Bytes payload;
  std::uint64_t item_count = 0;  // Spans, data points or log records.
};

// One request with a resource per service that has something of this signal. Thread-safe.
EncodedRequest encode(otlp::Signal signal, const std::vector<ServiceTelemetry>& services);

}  // namespace spanway::testapp
