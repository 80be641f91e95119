#include "services/query/insight/finding.h"

#include "services/lib/base/utf8.h"

namespace spanway::query::insight {

std::string_view to_string(FindingKind kind) noexcept {
  switch (kind) {
    case FindingKind::kLatencyRegression:
      return "latency_regression";
    case FindingKind::kErrorRate:
      return "error_rate";
    case FindingKind::kCallRate:
      return "call_rate";
    case FindingKind::kNPlusOne:
      return "n_plus_one";
    case FindingKind::kCriticalPath:
      return "critical_path";
    case FindingKind::kRelation:
      return "relation";
  }
  return "";
}

std::string Finding::subject() const {
  std::string text = operation.service + " " + operation.name;
  // A client's and a server's span often have one name.
  if (operation.kind == otlp::SpanKind::kClient) text += " (client)";
  if (kind == FindingKind::kRelation) text.append(" ").append(symptom);
  if (!token.empty()) text.append(": ").append(token);
  return printable_utf8(text, 300);
}

}  // namespace spanway::query::insight
