// Sends the spans of one service to the pipeline, in the background.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/base/executor.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/random.h"
#include "services/lib/pipeline/sink.h"
#include "services/testapp/telemetry_model.h"

namespace spanway::demo {

// Thread-safe. Spans that end within kLinger travel in one request, one request at a time; a
// transient refusal is retried for 60 s. Bound: kWaitingMax spans wait; more are dropped and
// counted. Sink and executor outlive it, and the executor is stopped before it is destroyed.
class SpanExporter {
 public:
  static constexpr std::size_t kWaitingMax = 2048;
  static constexpr Duration kLinger = std::chrono::milliseconds(200);

  SpanExporter(const std::string& service, Random random, pipeline::Sink& sink, Executor& executor);

  void add(testapp::Span span);
  // Sends what waits and blocks until it is answered; false when the deadline comes first. Not on
  // the executor.
  bool flush(Deadline deadline);
  // Because too many waited, or because the pipeline did not take them.
  std::uint64_t lost() const;

 private:
  void send();
  void answered(std::size_t spans, bool taken);

  const testapp::Attributes resource_;
  pipeline::Sink& sink_;
  Executor& executor_;
  mutable Mutex mutex_;
  CondVar changed_;
  Random random_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<testapp::Span> waiting_ SPANWAY_GUARDED_BY(mutex_);
  bool sending_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::uint64_t lost_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spanway::demo
