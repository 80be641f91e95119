// The declaration of the Pipeline; its sections are in declaration_*.cc.
#include "operator/api/declaration.h"

#include <algorithm>

#include "operator/api/declaration_parts.h"
#include "services/lib/config/scalar.h"

namespace spanway::api {
namespace {

constexpr std::int64_t kSecondMs = 1000;
constexpr std::int64_t kHourMs = 3600 * kSecondMs;
// "<pipeline>--<exporter>-consumer-canary" must be a DNS label, and the revision label that a
// StatefulSet puts on its pods ("<pipeline>--<exporter>-consumer-<10 digits>") a label value.
constexpr std::size_t kNamesLengthMax = 40;

bool is_pipeline_name(const std::string& name) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto inner = [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && lower(name.front()) && name.back() != '-' &&
         std::all_of(name.begin(), name.end(), inner);
}

void describe_observability(Fields& f, Observability& c) {
  f.field("logLevel", c.log_level, {"Debug", "Info", "Warn", "Error"},
          {.doc = "Log level of all components; Debug is verbose."});
  f.group("serviceMonitor", {.doc = "For the Prometheus Operator."}, [&c](Fields& inner) {
    inner.field("enabled", c.service_monitor,
                {.doc = "Create one where the cluster serves the kind."});
    inner.field("labels", c.monitor_labels,
                {.doc = "Labels that Prometheus selects by; the PrometheusRule gets them too.",
                 .pattern = "([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?",
                 .length_min = 0,
                 .length_max = 63});
  });
  f.group("prometheusRule", {.doc = "Alerts for the Prometheus Operator."}, [&c](Fields& inner) {
    inner.field("enabled", c.prometheus_rule,
                {.doc = "Create one where the cluster serves the kind."});
  });
}

}  // namespace

// Not in the unnamed namespace: Fields finds them next to their types.
static void describe(Fields& f, Rollout& c) {
  f.field(
      "strategy", c.strategy, {"Canary", "RollingUpdate"},
      {.doc = "Canary: one pod of the new revision beside the old ones first. RollingUpdate: at "
              "once."});
  f.field("onFailure", c.on_failure, {"Rollback", "Pause"},
          {.doc = "Rollback: the last good revision runs again, and the failed one is not tried "
                  "until something changes. Pause: everything is left as it is."});
  f.field("progressDeadline", c.progress_deadline,
          {.doc = "How long new pods may take to become ready.",
           .min = 10 * kSecondMs,
           .max = 24 * kHourMs});
  f.field("healthyAfter", c.healthy_after,
          {.doc = "How long new pods must stay ready without a restart before they count as good.",
           .min = kSecondMs,
           .max = kHourMs});
  f.rule(c,
         {.field = "healthyAfter",
          .cel = "duration(self.healthyAfter) < duration(self.progressDeadline)",
          .message = "must be below progressDeadline: no rollout could succeed"},
         [](const Rollout& r) { return r.healthy_after < r.progress_deadline; });
}

static void describe(Fields& f, NetworkPolicy& c) {
  f.field(
      "enabled", c.enabled,
      {.doc = "Restrict traffic to what the components need. Only behind it do they believe each "
              "other about tenants."});
  f.raw(
      "extraIngress", c.extra_ingress, RawShape::kListOfObjects,
      {.doc = "Further ingress rules of networking.k8s.io/v1, for all components. State the ports: "
              "a rule that opens 4327 or 4337 is refused with ingress.tenant.",
       .kubernetes_type = "NetworkPolicyIngressRule"});
  f.raw("extraEgress", c.extra_egress, RawShape::kListOfObjects,
        {.doc = "Further egress rules of networking.k8s.io/v1, for all components.",
         .kubernetes_type = "NetworkPolicyEgressRule"});
}

void describe(Fields& f, PipelineSpec& c) {
  f.field(
      "paused", c.paused,
      {.doc = "Change nothing in the cluster; the pods keep running and the status is updated."});
  f.object("image", c.image, {.doc = "Where the components' images come from."});
  f.object("ingress", c.ingress, {.doc = "Takes OTLP from applications."});
  f.group("bridge", {.doc = "Between ingress, Kafka and exporters."}, [&c](Fields& inner) {
    inner.object("produce", c.produce,
                 {.doc = "The bridge that writes to Kafka what the ingress accepted. The pods of "
                         "the topics Job "
                         "have its template's labels, annotations, placement and CPU limit."});
  });
  f.object("kafka", c.kafka, {.doc = "The Kafka cluster.", .required = true});
  f.list("exporters", c.exporters,
         {.doc = "One for each destination, each with its own consumer group.",
          .items_min = 1,
          .items_max = 16,
          .required = true});
  f.optional(
      "query", c.query,
      {.doc = "Reads stored telemetry back, by the APIs of Jaeger, Prometheus, Loki and Tempo. "
              "Unset = none runs."});
  f.object("rollout", c.rollout, {.doc = "How changes are rolled out."});
  f.object("networkPolicy", c.network_policy, {.doc = "NetworkPolicies of the components."});
  f.group("observability", {.doc = "Metrics, alerts and logs."},
          [&c](Fields& inner) { describe_observability(inner, c.observability); });
  f.rule(c,
         {.field = "networkPolicy.enabled",
          .cel = "self.networkPolicy.enabled || (self.ingress.tenant.from == 'None' && "
                 "!has(self.ingress.tenant.default))",
          .message = "must be true with ingress.tenant: without it any client that reaches the "
                     "pods behind the ingress could name any tenant"},
         [](const PipelineSpec& s) {
           return s.network_policy.enabled ||
                  (s.ingress.tenant.from == IngressTenant::From::kNone &&
                   s.ingress.tenant.default_tenant.empty());
         });
  rule_on_query(f, c);
}

void describe(Fields& f, Pipeline& c) {
  f.object("spec", c.spec, {.doc = "The desired state.", .required = true});
  f.rule(c,
         {.field = "metadata.name",
          .cel = "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
          .message = "must be lower-case letters, digits and dashes, and begin with a letter: "
                     "Services are named after it"},
         [](const Pipeline& p) { return is_pipeline_name(p.name); });
  f.rule(c,
         {.field = "metadata.name",
          .cel = "!self.metadata.name.contains('--')",
          .message = "must not hold two dashes in a row: they separate the names of Pipeline and "
                     "exporter"},
         [](const Pipeline& p) { return p.name.find("--") == std::string::npos; });
  f.rule(c,
         {.field = "metadata.name",
          .cel = "self.spec.exporters.all(e, size(self.metadata.name) + size(e.name) <= 40)",
          .message = "and the name of each exporter must together be at most 40 long: they "
                     "are parts of object names"},
         [](const Pipeline& p) {
           return std::all_of(p.spec.exporters.begin(), p.spec.exporters.end(),
                              [&p](const Exporter& e) {
                                return p.name.size() + e.name.size() <= kNamesLengthMax;
                              });
         });
}

std::string duration_bounds_message(const FieldInfo& info) {
  const auto text = [](std::int64_t ms) {
    return config::format_duration(std::chrono::milliseconds(ms));
  };
  return "must be from " + text(info.min) + " to " + text(info.max);
}

}  // namespace spanway::api
