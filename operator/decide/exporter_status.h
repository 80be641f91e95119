// The state of each exporter, from its pods and their /statusz reports.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/decide/status.h"

namespace spanway::decide {

struct ExporterStatus {
  std::string name;
  std::string state;  // "Running", "Degraded", "Paused", "Stalled", "Unknown"
  std::string ready;  // "1/1": ready and desired pods.
  std::string lag;    // As a bucket; empty = unknown.
  // The current lag; empty when no consumer reports it. Not part of the status.
  std::optional<double> lag_seconds;
  bool lost_records = false;  // Not part of the status either.
  std::string error_reason;   // CamelCase; empty = no error.
  std::string error_message;
  std::string since;  // When lag or error moved last: they do so at most every 30 s.
  // The circuit of the destination is open in some pod.
  struct Degraded {
    std::string since;   // When the operator saw it first; for at least 30 s from then on.
    std::string reason;  // CamelCase.
    std::string message;
  };
  std::optional<Degraded> degraded;
};

// In the order of the spec. An exporter whose pods were not polled yet keeps its state from
// `before`.
std::vector<ExporterStatus> observe_exporters(const StatusInput& input, const Json& before);
Json to_json(const ExporterStatus& exporter);

// 0 for "<10s" to 4 for ">1h"; -1 for anything else.
int bucket_rank(std::string_view bucket) noexcept;

}  // namespace spanway::decide
