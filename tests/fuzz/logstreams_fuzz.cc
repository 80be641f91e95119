// Log requests of arbitrary bytes as Loki's requests: never a crash, always the same bytes, and no
// request above its bound but for a single entry.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/logstreams/single_resource.h"
#include "services/lib/logstreams/stream_converter.h"
#include "services/lib/otlp/reader.h"

namespace {

using spanway::ok_status;
using spanway::Status;
using spanway::logstreams::Converter;
using spanway::logstreams::PushRequest;

constexpr std::size_t kRequestBytesMax = 256;
constexpr std::size_t kLabelsBytesMax = 16u << 10;

std::string converted(std::string_view payload) {
  Converter converter({.labels = {"service.name", "host"},
                       .request_bytes_max = kRequestBytesMax,
                       .pending_bytes_max = 1024,
                       .converted_bytes_max = 1u << 20});
  std::string all;
  const Status status = converter.convert(payload, 1, [&](PushRequest request) -> Status {
    SPANWAY_CHECK(request.entries > 0);
    SPANWAY_CHECK(request.entries == 1 ||
                  request.body.size() <= kRequestBytesMax + kLabelsBytesMax);
    all += request.body.view();
    return ok_status();
  });
  return status.ok() ? all : "refused";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A heap copy of exactly the right size: reads behind it are seen.
  const std::vector<char> copy(data, data + size);
  const std::string_view payload(copy.data(), copy.size());
  SPANWAY_CHECK(converted(payload) == converted(payload));
  const auto requests = spanway::logstreams::single_resource_requests(payload);
  if (!requests.ok()) return 0;
  const auto total = spanway::otlp::count_items(spanway::otlp::Signal::kLogs, payload);
  if (!total.ok() || requests->empty()) return 0;
  std::uint64_t counted = 0;
  for (const spanway::Bytes& request : *requests) {
    const auto items = spanway::otlp::count_items(spanway::otlp::Signal::kLogs, request.view());
    SPANWAY_CHECK(items.ok());
    counted += *items;
  }
  SPANWAY_CHECK(counted == *total);
  return 0;
}
