// The unit of transfer inside Spanway: the bytes of one OTLP Export request with their metadata.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/signal.h"

namespace spanway::pipeline {

// Request metadata that OTLP has no field for. On the wire: the gRPC metadata or HTTP headers
// `spanway-tenant`, `spanway-batch`, `spanway-all-or-nothing`, `traceparent`, `tracestate`.
struct Metadata {
  std::string tenant;
  // Deterministic identity, see pipeline/batch_identity.h; empty where none is needed.
  std::string batch_id;
  // Requests of several clients were joined: a receiver that would reject one of the items refuses
  // the batch as data instead, before it has taken any, and the sender sends each request again
  // alone. So each client gets the count of its own items. Other OTLP receivers ignore the header
  // and reject the items.
  bool all_or_nothing = false;
  // W3C trace context of the request itself (not of the spans inside).
  std::string traceparent;
  std::string tracestate;
};

// Move-only. The permit covers the payload and is released with the batch, or by the owner that has
// taken the permit over.
struct Batch {
  otlp::Signal signal = otlp::Signal::kTraces;
  // One serialized Export{Trace,Metrics,Logs}ServiceRequest, uncompressed.
  Bytes payload;
  // Spans, data points or log records in `payload`; 0 while they are not counted.
  std::uint64_t item_count = 0;
  Metadata metadata;
  // The result of a scan of exactly these bytes, without a rejected item; null when they were not
  // scanned in this process. Code that changes or keeps the payload resets it: no permit covers it.
  std::shared_ptr<const otlp::Scanned> scanned;
  // Deadline of the answer. A sink that waits until then answers DEADLINE_EXCEEDED itself.
  Deadline deadline = Deadline::never();
  Permit permit;

  // A copy of everything but the scan; the copy's permit is `copy_permit`, which must cover
  // payload.size().
  Batch clone(Permit copy_permit) const;
};

}  // namespace spanway::pipeline
