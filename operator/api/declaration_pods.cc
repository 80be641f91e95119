// Shared by all components: image, pods, scaling.
#include <algorithm>
#include <cmath>
#include <functional>

#include "operator/api/declaration_parts.h"

namespace spanway::api {
namespace {

constexpr char kLabelValuePattern[] = "([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?";
constexpr FieldInfo kLabels = {.pattern = kLabelValuePattern, .length_min = 0, .length_max = 63};

FieldInfo labels_info(const char* doc) {
  FieldInfo info = kLabels;
  info.doc = doc;
  return info;
}

bool has_prefix(const std::map<std::string, std::string>& map, std::string_view prefix) {
  return std::any_of(map.begin(), map.end(),
                     [prefix](const auto& entry) { return entry.first.starts_with(prefix); });
}

void describe_environment(Fields& f, PodTemplate& c) {
  f.list_impl(
      "env",
      {.doc = "Additional environment variables with plain values. Settings of the services belong "
              "in `config`."},
      {.key = "name",
       .size = c.env.size(),
       .resize = [&c](std::size_t size) { c.env.resize(size); },
       .describe_item =
           [&c](Fields& item, std::size_t i) {
             auto& variable = c.env[i];
             item.field("name", variable.first,
                        {.doc = "Its name.",
                         .pattern = "[A-Za-z_][A-Za-z0-9_]*",
                         .length_max = 128,
                         .required = true});
             item.field("value", variable.second,
                        {.doc = "Its literal value.",
                         .pattern = "[^\\x00]*",
                         .length_min = 0,
                         .length_max = 4096});
             item.rule(variable,
                       {.field = "name",
                        .cel = "!self.name.startsWith('SPANWAY_') && !self.name.startsWith('LD_')",
                        .message = "must not begin with SPANWAY_ (use config) or LD_"},
                       [](const std::pair<std::string, std::string>& v) {
                         return !v.first.starts_with("SPANWAY_") && !v.first.starts_with("LD_");
                       });
           },
       .key_of = [&c](std::size_t i) { return c.env[i].first; }});
}

void describe_scheduling(Fields& f, PodTemplate& c) {
  f.field("nodeSelector", c.node_selector, labels_info("Labels that a node must have."));
  f.raw("tolerations", c.tolerations, RawShape::kListOfObjects,
        {.doc = "Taints that the pods tolerate, as in a pod's spec.",
         .kubernetes_type = "Toleration"});
  f.raw("affinity", c.affinity, RawShape::kObject,
        {.doc = "Affinity, as in a pod's spec. Unset = pods prefer zones without a pod of their "
                "component.",
         .kubernetes_type = "Affinity"});
  f.raw("topologySpreadConstraints", c.topology_spread_constraints, RawShape::kListOfObjects,
        {.doc = "As in a pod's spec. Unset = pods are spread over nodes as far as "
                "possible.",
         .kubernetes_type = "TopologySpreadConstraint"});
  f.field("priorityClassName", c.priority_class_name,
          {.doc = "The pods' PriorityClass.", .pattern = kSubdomainPattern});
}

double quantity_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return 0;
  return kube::parse_quantity(value.get_ref<const std::string&>()).value_or(0);
}

// Calls `holds` for each request or limit: its name and its quantity.
bool all_quantities(const Json& resources, const char* which,
                    const std::function<bool(const std::string&, double)>& holds) {
  const Json* all = kube::find(resources, which);
  if (all == nullptr || !all->is_object()) return true;
  for (const auto& [name, value] : all->items())
    if (!holds(name, quantity_of(value))) return false;
  return true;
}

// Refuses what weakens the pods' confinement or matches other selectors.
void rule_on_template(Fields& f, PodTemplate& c) {
  f.rule(c,
         {.field = "labels",
          .cel = "!has(self.labels) || !self.labels.exists(k, k.startsWith('spanway.dev/') || "
                 "k.startsWith('app.kubernetes.io/'))",
          .message = "must not hold labels of spanway.dev/ or app.kubernetes.io/: Services select "
                     "by them"},
         [](const PodTemplate& t) {
           return !has_prefix(t.labels, "spanway.dev/") &&
                  !has_prefix(t.labels, "app.kubernetes.io/");
         });
  f.rule(c,
         {.field = "annotations",
          .cel = "!has(self.annotations) || !self.annotations.exists(k, "
                 "k.startsWith('spanway.dev/'))",
          .message = "must not hold annotations of spanway.dev/"},
         [](const PodTemplate& t) { return !has_prefix(t.annotations, "spanway.dev/"); });
  f.rule(c,
         {.field = "annotations",
          .cel = "!has(self.annotations) || !self.annotations.exists(k, "
                 "k.startsWith('container.apparmor.security.beta.kubernetes.io/') || "
                 "k.startsWith('seccomp.security.alpha.kubernetes.io/'))",
          .message = "must not change the pods' confinement (AppArmor, seccomp)"},
         [](const PodTemplate& t) {
           return !has_prefix(t.annotations, "container.apparmor.security.beta.kubernetes.io/") &&
                  !has_prefix(t.annotations, "seccomp.security.alpha.kubernetes.io/");
         });
  f.rule(c,
         {.field = "priorityClassName",
          .cel = "!has(self.priorityClassName) || !self.priorityClassName.startsWith('system-')",
          .message = "must not begin with system-: those classes are for the cluster itself"},
         [](const PodTemplate& t) { return !t.priority_class_name.starts_with("system-"); });
}

}  // namespace

void describe(Fields& f, SecretKey& c) {
  describe_secret_name(f, "name", c.name, Presence::kRequired,
                       "Name of the Secret, in the Pipeline's namespace.");
  f.field("key", c.key,
          {.doc = "Its key.", .pattern = kSecretKeyPattern, .length_max = 253, .required = true});
}

void describe_secret_name(Fields& f, std::string_view name, std::string& value, Presence presence,
                          const char* doc) {
  f.field(name, value,
          {.doc = doc, .pattern = kSubdomainPattern, .required = presence == Presence::kRequired});
}

const RuleInfo& no_negative_quantity() {
  static constexpr RuleInfo kRule = {
      .field = "resources",
      .cel =
          "!has(self.resources) || ((!has(self.resources.requests) || "
          "self.resources.requests.all(k, "
          "!string(self.resources.requests[k]).startsWith('-'))) && "
          "(!has(self.resources.limits) || self.resources.limits.all(k, "
          "!string(self.resources.limits[k]).startsWith('-'))))",
      .message = "must not hold a negative quantity"};
  return kRule;
}

bool has_no_negative_quantity(const Json& resources) {
  const auto is_positive = [](const std::string&, double quantity) {
    return !std::signbit(quantity);
  };
  return all_quantities(resources, "requests", is_positive) &&
         all_quantities(resources, "limits", is_positive);
}

const RuleInfo& no_request_above_limit() {
  static constexpr RuleInfo kRule = {
      .field = "resources",
      .cel =
          "!has(self.resources) || !has(self.resources.requests) || "
          "!has(self.resources.limits) || self.resources.requests.all(k, "
          "!(k in self.resources.limits) || "
          "!isQuantity(string(self.resources.requests[k])) || "
          "!isQuantity(string(self.resources.limits[k])) || "
          "quantity(string(self.resources.requests[k])).compareTo("
          "quantity(string(self.resources.limits[k]))) <= 0)",
      .message = "must not request more of a resource than its limit"};
  return kRule;
}

bool has_no_request_above_limit(const Json& resources) {
  return all_quantities(resources, "requests",
                        [&resources](const std::string& name, double request) {
                          const Json* limits = kube::find(resources, "limits");
                          if (limits == nullptr || !limits->is_object() || !limits->contains(name))
                            return true;
                          // 100m and 0.1 are the same, and differ as binary numbers.
                          constexpr double kRounding = 1 + 1e-9;
                          return request <= quantity_of((*limits)[name]) * kRounding;
                        });
}

void describe_optional_key(Fields& f, std::string_view name, SecretKey& value, const char* doc) {
  f.optional_impl(
      name, {.doc = doc}, !value.name.empty(), [] {},
      [&value](Fields& inner) { describe(inner, value); });
}

void describe(Fields& f, Image& c) {
  f.field("repository", c.repository,
          {.doc = "The image with all of Spanway's programs, without tag. Unset = the "
                  "operator's own.",
           .example = "registry.example.com/spanway",
           .pattern = "([a-zA-Z0-9][-a-zA-Z0-9.]*(:[0-9]{1,5})?/)?[a-z0-9]([-a-z0-9._]*[a-z0-9])?"
                      "(/[a-z0-9]([-a-z0-9._]*[a-z0-9])?)*",
           .length_max = 255});
  f.field("tag", c.tag,
          {.doc = "Unset = the operator's version.",
           .pattern = "[A-Za-z0-9_][-A-Za-z0-9_.]*",
           .length_max = 128});
  f.field("digest", c.digest,
          {.doc = "Takes precedence over the tag.",
           .pattern = "sha256:[a-f0-9]{64}",
           .length_max = 71});
  f.field("pullPolicy", c.pull_policy, {"Always", "IfNotPresent", "Never"},
          {.doc = "When nodes pull the image."});
  f.list_impl("pullSecrets", {.doc = "Secrets with credentials for the registry.", .items_max = 8},
              {.key = "name",
               .size = c.pull_secrets.size(),
               .resize = [&c](std::size_t size) { c.pull_secrets.resize(size); },
               .describe_item =
                   [&c](Fields& item, std::size_t i) {
                     describe_secret_name(item, "name", c.pull_secrets[i], Presence::kRequired,
                                          "Name of the Secret.");
                   },
               .key_of = [&c](std::size_t i) { return c.pull_secrets[i]; }});
}

void describe(Fields& f, PodTemplate& c) {
  f.field("labels", c.labels, labels_info("Further labels of the pods."));
  f.field("annotations", c.annotations,
          {.doc = "Additional annotations of the pods.", .length_min = 0, .length_max = 4096});
  f.raw("resources", c.resources, RawShape::kObject,
        {.doc = "Requests and limits of the container, as in a pod's spec. The service "
                "sizes its memory_limit from the memory limit.",
         .example = "{requests: {cpu: 250m, memory: 256Mi}, limits: {memory: 512Mi}}",
         .kubernetes_type = "ResourceRequirements"});
  describe_scheduling(f, c);
  f.field("serviceAccountName", c.service_account_name,
          {.doc = "Unset = one without permissions is created for the component.",
           .pattern = kSubdomainPattern});
  describe_environment(f, c);
  f.field("terminationGracePeriodSeconds", c.termination_grace_period_seconds,
          {.doc = "How long a pod may take to drain.",
           .min = 1,
           .max = 3600,
           .absent = "what the drain needs"});
  rule_on_resources(f, c);
  rule_on_template(f, c);
}

void describe(Fields& f, CpuAutoscaling& c) {
  f.field("minReplicas", c.min_replicas,
          {.doc = "Lower bound of the replicas.", .min = 1, .max = 1000});
  f.field("maxReplicas", c.max_replicas,
          {.doc = "Upper bound of the replicas.", .min = 1, .max = 1000, .required = true});
  f.field(
      "targetCPUUtilizationPercentage", c.target_cpu_utilization_percentage,
      {.doc = "Percentage of the requested CPU, averaged over the pods.", .min = 1, .max = 1000});
  f.field(
      "scaleDownStabilizationSeconds", c.scale_down_stabilization_seconds,
      {.doc = "How long fewer pods must suffice before the HorizontalPodAutoscaler removes one.",
       .min = 0,
       .max = 3600});
  f.rule(c,
         {.field = "minReplicas",
          .cel = "self.minReplicas <= self.maxReplicas",
          .message = "must not be above maxReplicas"},
         [](const CpuAutoscaling& a) { return a.min_replicas <= a.max_replicas; });
}

void describe(Fields& f, LagAutoscaling& c) {
  f.field("minReplicas", c.min_replicas,
          {.doc = "Lower bound of the replicas.", .min = 1, .max = 1000});
  f.field("maxReplicas", c.max_replicas,
          {.doc = "Upper bound of the replicas; never more are started than the topics have "
                  "partitions.",
           .min = 1,
           .max = 1000,
           .required = true});
  f.field("targetLagSeconds", c.target_lag_seconds,
          {.doc = "How old the oldest record that has not been delivered may be.",
           .min = 1,
           .max = 86400});
  f.field(
      "scaleDownStabilizationSeconds", c.scale_down_stabilization_seconds,
      {.doc = "How long the lag must be low before a pod is removed. A replica count that proved "
              "too low is tried again only after 16 times as long.",
       .min = 0,
       .max = 3600});
  f.rule(c,
         {.field = "minReplicas",
          .cel = "self.minReplicas <= self.maxReplicas",
          .message = "must not be above maxReplicas"},
         [](const LagAutoscaling& a) { return a.min_replicas <= a.max_replicas; });
}

void describe_replicas(Fields& f, std::int64_t& replicas, const char* doc) {
  f.field("replicas", replicas, {.doc = doc, .min = 0, .max = 1000});
}

void describe_pods(Fields& f, PodTemplate& pods, Json& config, const char* service) {
  f.object("template", pods, {.doc = "Merged over the generated pods."});
  f.raw("config", config, RawShape::kObject, {.doc = service});
}

}  // namespace spanway::api
