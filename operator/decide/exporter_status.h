// What is known of each exporter: from its pods and from what they say of themselves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/decide/status.h"

namespace spanway::reconcile {

struct ExporterStatus {
  std::string name;
  std::string state;  // "Running", "Paused", "Stalled", "Unknown"
  std::string ready;  // "1/1": ready and wanted pods.
  std::string lag;    // As a bucket; empty = unknown.
  // Of the moment; nothing when no consumer has told. Not part of the status.
  std::optional<double> lag_seconds;
  bool lost_records = false;  // Not part of the status either.
  std::string error_reason;   // CamelCase; empty = no error.
  std::string error_message;
  std::string since;  // When lag or error moved last: they do so at most every 30 s.
};

// In the order of the spec. What nobody has been asked yet stays as it is in `before`.
std::vector<ExporterStatus> look_at_exporters(const StatusInput& input, const Json& before);
Json to_json(const ExporterStatus& exporter);

// 0 for "<10s" to 4 for ">1h"; -1 for anything else.
int bucket_rank(std::string_view bucket) noexcept;

}  // namespace spanway::reconcile
