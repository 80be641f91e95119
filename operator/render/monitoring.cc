#include "operator/render/monitoring.h"

#include <algorithm>

#include "operator/render/services.h"

namespace spanway::render {
namespace {

constexpr char kScrapeInterval[] = "30s";

Json monitor_labels(const Context& context) {
  Json labels = common_labels(context, "");
  for (const auto& [name, value] : context.pipeline.spec.observability.monitor_labels)
    labels.emplace(name, value);  // The operator's take precedence.
  return labels;
}

Manifest service_monitor(const Context& context) {
  Manifest manifest = make_manifest(context, kube::kServiceMonitors, context.pipeline.name,
                                    monitor_labels(context));
  Json& body = manifest.object["spec"];
  const Json labels = common_labels(context, "");
  body["selector"]["matchLabels"] = {{api::kPipelineLabel, labels[api::kPipelineLabel]},
                                     {kMetricsLabel, "true"}};
  body["namespaceSelector"]["matchNames"] = Json::array({context.pipeline.name_space});
  body["podTargetLabels"] = Json::array(
      {api::kPipelineLabel, api::kComponentLabel, api::kExporterLabel, api::kTrackLabel});
  body["endpoints"] =
      Json::array({Json{{"port", "admin"}, {"path", "/metrics"}, {"interval", kScrapeInterval}}});
  return manifest;
}

class Rules {
 public:
  explicit Rules(const Context& context)
      : selector_("namespace=\"" + context.pipeline.name_space + "\",spanway_dev_pipeline=\"" +
                  context.pipeline.name + "\"") {}

  std::string series(const std::string& metric, const std::string& more = "") const {
    return metric + "{" + selector_ + (more.empty() ? "" : "," + more) + "}";
  }
  void add(const char* name, std::string expression, const char* pending, const char* severity,
           const char* summary, const char* description) {
    list_.push_back({{"alert", name},
                     {"expr", std::move(expression)},
                     {"for", pending},
                     {"labels", {{"severity", severity}}},
                     {"annotations", {{"summary", summary}, {"description", description}}}});
  }
  Json take() { return std::move(list_); }

 private:
  std::string selector_;
  Json list_ = Json::array();
};

void add_delivery_rules(const api::Pipeline& pipeline, Rules& rules) {
  const auto retention =
      std::chrono::duration_cast<std::chrono::seconds>(pipeline.spec.kafka.topics.retention)
          .count();
  const std::string lag =
      "max by (spanway_dev_exporter) (" + rules.series("spanway_kafka_bridge_lag_seconds") + ")";
  rules.add("SpanwayLagHigh", lag + " > 300", "10m", "warning",
            "Delivery is more than five minutes behind",
            "Exporter {{ $labels.spanway_dev_exporter }} delivers what lay in Kafka for "
            "{{ $value | humanizeDuration }}.");
  rules.add(
      "SpanwayRetentionAtRisk",
      lag + " > " + std::to_string(std::max<std::int64_t>(1, retention / 2)), "5m", "critical",
      "Half of the topics' retention has passed",
      "Exporter {{ $labels.spanway_dev_exporter }} is {{ $value | humanizeDuration }} behind; "
      "Kafka deletes what is older than its retention.");
  rules.add("SpanwayRecordsLost",
            "increase(" + rules.series("spanway_kafka_bridge_lost_records_total") + "[15m]) > 0",
            "0m", "critical", "Kafka deleted records before they were delivered",
            "Pod {{ $labels.pod }} found {{ $value }} records gone.");
  rules.add("SpanwayDestinationStalled",
            rules.series("spanway_kafka_bridge_stalled_partitions") + " > 0", "5m", "critical",
            "A destination refuses everything",
            "Exporter {{ $labels.spanway_dev_exporter }} is stalled until a setting is changed: "
            "credentials, address or the destination itself.");
  rules.add("SpanwayDeadLetters",
            "increase(" + rules.series("spanway_kafka_bridge_dead_letters_total") + "[15m]) > 0",
            "0m", "warning", "A destination refused records permanently",
            "Exporter {{ $labels.spanway_dev_exporter }}: {{ $value }} records went to the "
            "dead-letter topics.");
  rules.add("SpanwayDestinationUnreachable",
            rules.series("spanway_exporter_reachable_destinations") + " == 0", "10m", "warning",
            "A destination does not answer",
            "Pod {{ $labels.pod }} cannot reach {{ $labels.destination }}; telemetry waits in "
            "Kafka.");
}

void add_intake_rules(Rules& rules) {
  rules.add("SpanwayRequestsRefused",
            "sum by (reason) (rate(" + rules.series("spanway_ingress_refused_requests_total") +
                "[5m])) > 0.1",
            "10m", "warning", "Applications' requests are refused",
            "{{ $value | humanize }} requests a second are refused: {{ $labels.reason }}.");
  rules.add("SpanwayKafkaUnreachable", rules.series("spanway_kafka_reachable") + " == 0", "2m",
            "critical", "Kafka cannot be reached", "Pod {{ $labels.pod }} reaches no broker.");
  rules.add("SpanwayNotReady", rules.series("spanway_runtime_ready") + " == 0", "5m", "warning",
            "A pod is not ready",
            "Pod {{ $labels.pod }} ({{ $labels.spanway_dev_component }}) has not been ready for "
            "five minutes.");
}

Manifest prometheus_rule(const Context& context) {
  Rules rules(context);
  add_delivery_rules(context.pipeline, rules);
  add_intake_rules(rules);
  Manifest manifest = make_manifest(context, kube::kPrometheusRules, context.pipeline.name,
                                    monitor_labels(context));
  manifest.object["spec"]["groups"] = Json::array(
      {Json{{"name", "spanway-" + context.pipeline.name_space + "-" + context.pipeline.name},
            {"rules", rules.take()}}});
  return manifest;
}

}  // namespace

std::vector<Manifest> monitoring(const Context& context) {
  std::vector<Manifest> manifests;
  const api::Observability& settings = context.pipeline.spec.observability;
  if (settings.service_monitor && context.facts.serves.service_monitors)
    manifests.push_back(service_monitor(context));
  if (settings.prometheus_rule && context.facts.serves.prometheus_rules)
    manifests.push_back(prometheus_rule(context));
  return manifests;
}

}  // namespace spanway::render
