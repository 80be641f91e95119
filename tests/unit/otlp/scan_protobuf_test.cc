// The scan against libprotobuf: what the scan accepts, other parsers must take, with the same
// counts; otherwise one client could poison a batch for all clients.
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/split.h"
#include "tests/unit/otlp/random_request.h"

namespace spanway::otlp {
namespace {

namespace collector = opentelemetry::proto::collector;
using opentelemetry::proto::metrics::v1::Metric;

// The content as libprotobuf has parsed it.
std::uint64_t count_of(const collector::trace::v1::ExportTraceServiceRequest& request) {
  std::uint64_t count = 0;
  for (const auto& resource : request.resource_spans())
    for (const auto& scope : resource.scope_spans())
      count += static_cast<std::uint64_t>(scope.spans_size());
  return count;
}
std::uint64_t count_of(const collector::logs::v1::ExportLogsServiceRequest& request) {
  std::uint64_t count = 0;
  for (const auto& resource : request.resource_logs())
    for (const auto& scope : resource.scope_logs())
      count += static_cast<std::uint64_t>(scope.log_records_size());
  return count;
}
int points_of(const Metric& metric) {
  switch (metric.data_case()) {
    case Metric::kGauge:
      return metric.gauge().data_points_size();
    case Metric::kSum:
      return metric.sum().data_points_size();
    case Metric::kHistogram:
      return metric.histogram().data_points_size();
    case Metric::kExponentialHistogram:
      return metric.exponential_histogram().data_points_size();
    case Metric::kSummary:
      return metric.summary().data_points_size();
    case Metric::DATA_NOT_SET:
      return 0;
  }
  return 0;
}
std::uint64_t count_of(const collector::metrics::v1::ExportMetricsServiceRequest& request) {
  std::uint64_t count = 0;
  for (const auto& resource : request.resource_metrics())
    for (const auto& scope : resource.scope_metrics())
      for (const auto& metric : scope.metrics())
        count += static_cast<std::uint64_t>(points_of(metric));
  return count;
}

template <typename Request>
struct SignalOf;
template <>
struct SignalOf<collector::trace::v1::ExportTraceServiceRequest> {
  static constexpr Signal value = Signal::kTraces;
};
template <>
struct SignalOf<collector::metrics::v1::ExportMetricsServiceRequest> {
  static constexpr Signal value = Signal::kMetrics;
};
template <>
struct SignalOf<collector::logs::v1::ExportLogsServiceRequest> {
  static constexpr Signal value = Signal::kLogs;
};

std::string mutated(std::string bytes, std::mt19937_64& random) {
  for (std::uint64_t n = random() % 4 + 1; n > 0 && !bytes.empty(); --n) {
    const std::size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
        break;
      case 2:
        bytes.insert(at, 1, static_cast<char>(random()));
        break;
      default:
        bytes.erase(at, 1);
    }
  }
  return bytes;
}

template <typename Request>
class ScanProtobuf : public ::testing::Test {
 protected:
  static constexpr Signal kSignal = SignalOf<Request>::value;
  std::mt19937_64 random_{static_cast<std::uint64_t>(kSignal) + 1};

  // Not tiny, and at least one item in it is good.
  std::string random_request() {
    for (int tries = 0; tries < 1000; ++tries) {
      Request request;
      fill_randomly(request, random_, {.depth_max = 9, .odd_ids = random_() % 4 == 0});
      std::string payload = request.SerializeAsString();
      if (payload.size() > 100 && check(payload)) return payload;
    }
    ADD_FAILURE() << "no request with a good item";
    return {};
  }
  // True when the scan has taken items of it.
  bool check(const std::string& payload) {
    Scanner scanner;
    if (!scanner.scan(kSignal, payload).ok()) return false;
    const Bytes accepted = without_rejected(scanner.index(), payload);
    Request parsed;
    EXPECT_TRUE(parsed.ParseFromArray(accepted.data(), static_cast<int>(accepted.size())));
    EXPECT_EQ(count_of(parsed), scanner.index().accepted);
    return scanner.index().accepted > 0;
  }
};

using Requests = ::testing::Types<collector::trace::v1::ExportTraceServiceRequest,
                                  collector::metrics::v1::ExportMetricsServiceRequest,
                                  collector::logs::v1::ExportLogsServiceRequest>;
TYPED_TEST_SUITE(ScanProtobuf, Requests);

TYPED_TEST(ScanProtobuf, CountsWhatLibprotobufWrites) {
  for (int i = 0; i < 60 && !this->HasFailure(); ++i) EXPECT_FALSE(this->random_request().empty());
}

TYPED_TEST(ScanProtobuf, AcceptsNothingThatLibprotobufRefuses) {
  google::protobuf::LogSilencer silent;
  int taken = 0;
  int refused = 0;
  for (int i = 0; i < 12; ++i) {
    const std::string payload = this->random_request();
    for (int j = 0; j < 150 && !this->HasFailure(); ++j)
      ++(this->check(mutated(payload, this->random_)) ? taken : refused);
  }
  EXPECT_GT(taken, 50);
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace spanway::otlp
