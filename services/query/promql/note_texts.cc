// Texts of annotations, as Prometheus's clients know them.
#include "services/query/promql/evaluator.h"

namespace spanway::query::promql {

std::string for_metric(std::string text, std::string_view name) {
  return name.empty() ? text : text + " for metric name " + quoted(name);
}
std::string mixed_points(std::string_view name) {
  return "encountered a mix of histograms and floats for metric name " + quoted(name);
}
std::string mixed_schemas(std::string_view name) {
  return "vector contains a mix of histograms with exponential and custom buckets schemas for "
         "metric name " +
         quoted(name);
}
std::string ignored_histograms(std::string_view name) {
  return "ignored histograms in a range containing both floats and histograms for metric name " +
         quoted(name);
}
std::string reconciled(std::string_view operation) {
  return "mismatched custom buckets were reconciled during " + std::string(operation);
}

}  // namespace spanway::query::promql
