// Which topic carries which signal.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "services/kafka-bridge/config.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/otlp/signal.h"

namespace spanway::kafka_bridge {

inline const std::string& topic_of(const kafka::TopicNames& topics, otlp::Signal signal) noexcept {
  switch (signal) {
    case otlp::Signal::kTraces:
      return topics.traces;
    case otlp::Signal::kMetrics:
      return topics.metrics;
    case otlp::Signal::kLogs:
      break;
  }
  return topics.logs;
}

// The signals that a consumer is configured to read.
inline std::vector<otlp::Signal> signals_of(const ConsumeConfig& config) {
  std::vector<otlp::Signal> signals;
  for (const otlp::Signal signal : otlp::kSignals) {
    const auto& names = config.signals;
    if (std::find(names.begin(), names.end(), otlp::to_string(signal)) != names.end()) {
      signals.push_back(signal);
    }
  }
  return signals;
}

}  // namespace spanway::kafka_bridge
