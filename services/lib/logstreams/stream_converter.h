// OTLP log records as Loki's push requests.
// Sources: Loki 3.7, pkg/push/push.proto and pkg/loghttp/push/otlp.go, by whose rules a record
// becomes the same stream, line and structured metadata as over Loki's own OTLP endpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/reader.h"

namespace spanway::logstreams {

// A logproto.PushRequest with entries of one stream.
struct PushRequest {
  std::size_t stream = 0;  // Counts the streams of a batch from 0, by their first appearance.
  Bytes body;              // Not compressed.
  std::uint64_t entries = 0;
};

struct ConverterOptions {
  // Resource attributes that become labels, at most kLabelsMax.
  std::vector<std::string> labels;
  // A request is given out once its entries reach this size.
  std::size_t request_bytes_max = 1u << 20;
  // The bound of all requests that are not given out yet; beyond, all are.
  std::size_t pending_bytes_max = 4u << 20;
  // The bound of all requests of a batch: a record's metadata holds its resource, so that many
  // small records of a large resource become much longer.
  std::size_t converted_bytes_max = 64u << 20;
};

// Single-thread.
class Converter {
 public:
  // Takes a request, or says why not, which ends the conversion.
  using Emit = std::function<Status(PushRequest)>;

  explicit Converter(ConverterOptions options) : options_(std::move(options)) {}

  // A function of the payload, and of `received_unix_nano` for records without any time. Requests
  // of one stream come in the order of its records. Broken framing: INVALID_ARGUMENT, data; more
  // than converted_bytes_max: RESOURCE_EXHAUSTED, unknown, so that the sender halves the batch.
  Status convert(std::string_view payload, std::uint64_t received_unix_nano, const Emit& emit);

 private:
  class Visitor;

  const ConverterOptions options_;
  otlp::RequestReader reader_;
};

}  // namespace spanway::logstreams
