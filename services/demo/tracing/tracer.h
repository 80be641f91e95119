// Spans of one service.
#pragma once

#include <optional>
#include <string>

#include "services/demo/tracing/propagation.h"
#include "services/demo/tracing/span_exporter.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/random.h"
#include "services/testapp/telemetry_model.h"

namespace spanway::demo {

// Move-only; one thread at a time. Ends with end() or with its destruction, and is exported then.
class Span {
 public:
  Span(Span&& other) noexcept;
  Span& operator=(Span&&) = delete;
  ~Span() { end(); }

  // For its children, here and in other services.
  const SpanContext& context() const noexcept { return context_; }
  void set(std::string key, testapp::Value value);
  void fail(const std::string& message);
  void end();

 private:
  friend class Tracer;
  Span(SpanContext context, testapp::Span span, const Clock& clock, SpanExporter& exporter);

  SpanContext context_;
  testapp::Span span_;
  const Clock& clock_;
  SpanExporter* exporter_;  // Null once it has ended.
};

// Thread-safe. Clock and exporter outlive it and its spans.
class Tracer {
 public:
  Tracer(Random random, const Clock& clock, SpanExporter& exporter)
      : clock_(clock), exporter_(exporter), random_(random) {}

  // Without a parent it begins a trace.
  Span start(std::string name, testapp::SpanKind kind, const std::optional<SpanContext>& parent);

 private:
  const Clock& clock_;
  SpanExporter& exporter_;
  Mutex mutex_;
  Random random_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::demo
