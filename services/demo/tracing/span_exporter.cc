#include "services/demo/tracing/span_exporter.h"

#include <utility>

#include "services/testapp/otlp_encoder.h"
#include "services/testapp/telemetry_delivery.h"

namespace spanway::demo {

SpanExporter::SpanExporter(const std::string& service, Random random, pipeline::Sink& sink,
                           Executor& executor)
    : resource_({{"service.name", service}, {"service.version", SPANWAY_VERSION}}),
      sink_(sink),
      executor_(executor),
      random_(random) {}

void SpanExporter::add(testapp::Span span) {
  MutexLock lock(mutex_);
  if (waiting_.size() == kWaitingMax) {
    ++lost_;
    return;
  }
  // The first one of a batch; a request that is under way sends the next batch at its end.
  if (waiting_.empty() && !sending_) executor_.post_after(kLinger, [this] { send(); });
  waiting_.push_back(std::move(span));
}

void SpanExporter::send() {
  std::vector<testapp::ServiceTelemetry> services(1);
  std::uint64_t seed = 0;
  {
    MutexLock lock(mutex_);
    if (sending_ || waiting_.empty()) return;
    sending_ = true;
    services[0].resource = resource_;
    services[0].spans = std::exchange(waiting_, {});
    seed = random_.next();
  }
  const std::size_t spans = services[0].spans.size();
  testapp::EncodedRequest request = testapp::encode(otlp::Signal::kTraces, services);
  pipeline::Batch batch;
  batch.payload = std::move(request.payload);
  batch.item_count = request.item_count;
  testapp::Delivery::start(std::move(batch), {}, Random(seed), sink_, executor_,
                           [this, spans](const testapp::Delivery::Report& report) {
                             answered(spans, report.answer.ok() && report.answer->rejected == 0);
                           });
}

void SpanExporter::answered(std::size_t spans, bool taken) {
  {
    MutexLock lock(mutex_);
    sending_ = false;
    if (!taken) lost_ += spans;
  }
  changed_.notify_all();
  send();
}

bool SpanExporter::flush(Deadline deadline) {
  executor_.post([this] { send(); });
  MutexLock lock(mutex_);
  return changed_.wait_for(mutex_, deadline.remaining(executor_.clock().now()),
                           [this]()
                               SPANWAY_REQUIRES(mutex_) { return waiting_.empty() && !sending_; });
}

std::uint64_t SpanExporter::lost() const {
  MutexLock lock(mutex_);
  return lost_;
}

}  // namespace spanway::demo
