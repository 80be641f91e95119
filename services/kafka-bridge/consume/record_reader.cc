#include "services/kafka-bridge/consume/record_reader.h"

#include <algorithm>
#include <utility>

#include "services/kafka-bridge/consume/batch_halves.h"
#include "services/lib/base/tenant_name.h"
#include "services/lib/otlp/split.h"

namespace spanway::kafka_bridge {
namespace {

// Records in Kafka have been accepted: rejects only what no receiver can parse, not what exceeds
// the limits of our own ingress.
otlp::ScanLimits reading_limits() {
  otlp::ScanLimits limits;
  limits.request_bytes_max = 1u << 30;
  limits.prefix_bytes_max = 1u << 30;
  limits.item_bytes_max = 1u << 30;
  limits.value_depth_max = 100;
  limits.submessages_max = 100'000'000;
  return limits;
}

// One for all partitions of a thread. What a record with unusually many items has taken is given
// back once it was read.
class SharedScanner {
 public:
  SharedScanner() = default;
  ~SharedScanner() { scanner().release_excess(); }
  SharedScanner(const SharedScanner&) = delete;
  SharedScanner& operator=(const SharedScanner&) = delete;
  otlp::Scanner* operator->() const { return &scanner(); }

 private:
  static otlp::Scanner& scanner() {
    thread_local otlp::Scanner shared(reading_limits());
    return shared;
  }
};

}  // namespace

Result<ReadRecord> RecordReader::read(otlp::Signal signal, const kafka::RecordView& record) {
  ReadRecord read;
  read.payload = record.value;
  for (const kafka::HeaderView& header : record.headers) {
    if (header.name == "spanway-tenant") read.tenant = header.value;
  }
  // As strict as those that get it from us: all of it, with one reason, and not item by item.
  if (!read.tenant.empty() && !is_tenant_name(read.tenant)) {
    return invalid_argument("the header spanway-tenant must be 1 to 64 of A-Z a-z 0-9 _ -")
        .with_reason("tenant_invalid");
  }
  Permit index_memory = memory_ == nullptr ? Permit() : memory_->empty_permit();
  const SharedScanner scanner;
  SPANWAY_TRY(scanner->scan(signal, record.value, &index_memory));
  const otlp::Index& index = scanner->index();
  if (index.items.empty() && !record.value.empty()) {
    // Well-formed protobuf, but nothing in it can be delivered: a commit would lose it silently.
    const std::string why =
        index.rejected > 0 ? index.reject_message : "the record has no item that OTLP defines";
    return invalid_argument("holds no " + std::string(item_name(signal)) + ": " + why)
        .with_reason("malformed_request");
  }
  read.item_count = unit_count(index);
  if (index.rejected == 0) return read;
  read.rejected = index.rejected;
  read.reject_message = index.reject_message;
  read.cleaned = otlp::without_rejected(index, record.value);
  read.payload = read.cleaned.view();
  return read;
}

}  // namespace spanway::kafka_bridge
