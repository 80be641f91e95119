#include "operator/render/network_policies.h"

#include <algorithm>

#include "operator/render/private_networks.h"
#include "operator/render/storage_jobs.h"
#include "operator/render/topics_job.h"

namespace spanway::render {
namespace {

constexpr char kNamespaceName[] = "kubernetes.io/metadata.name";
constexpr char kOtlpPortName[] = "otlp-grpc";  // On bridge and exporter.

Json tcp(int port) { return {{"protocol", "TCP"}, {"port", port}}; }

Json pods(const Json& labels) { return {{"podSelector", {{"matchLabels", labels}}}}; }

Json pods_of(const Context& context, Role role, const std::string& exporter) {
  ComponentSpec spec;
  spec.id = {role, exporter};
  return pods(component_selector(context, spec));
}

// To a resolver inside or outside of the cluster, or on the node.
Json to_dns() {
  return {{"ports", Json::array({Json{{"protocol", "UDP"}, {"port", 53}},
                                 Json{{"protocol", "TCP"}, {"port", 53}}})}};
}

// Brokers and destinations are names with unknown addresses: allows everything but link-local
// addresses, where clouds serve credentials. Pods have a rule of their own because some network
// plugins do not match them by address.
Json to_anywhere() {
  return {
      {"to",
       Json::array(
           {Json{{"namespaceSelector", Json::object()}},
            Json{{"ipBlock", {{"cidr", "0.0.0.0/0"}, {"except", Json::array({"169.254.0.0/16"})}}}},
            Json{{"ipBlock",
                  {{"cidr", "::/0"},
                   {"except", Json::array({"fd00:ec2::254/128", "fe80::/10"})}}}}})}};
}

// Public addresses only: not the cluster, not private networks.
Json to_public_addresses() {
  return {
      {"to",
       Json::array(
           {Json{{"ipBlock", {{"cidr", "0.0.0.0/0"}, {"except", private_networks(Family::kV4)}}}},
            Json{{"ipBlock", {{"cidr", "::/0"}, {"except", private_networks(Family::kV6)}}}}})}};
}

Json to_pods(const Context& context, Role role, const std::string& exporter, int port) {
  return {{"to", Json::array({pods_of(context, role, exporter)})},
          {"ports", Json::array({tcp(port)})}};
}

Json from_pods(const Context& context, Role role, const std::string& exporter, int port) {
  return {{"from", Json::array({pods_of(context, role, exporter)})},
          {"ports", Json::array({tcp(port)})}};
}

// The admin port has no authentication: for the operator, and for Prometheus wherever it runs.
Json from_watchers(const Context& context) {
  Json from = Json::array(
      {Json{{"namespaceSelector",
             {{"matchLabels", {{kNamespaceName, context.facts.operator_namespace}}}}}}});
  if (context.pipeline.spec.observability.service_monitor) {
    from.push_back(
        {{"namespaceSelector", Json::object()},
         {"podSelector", {{"matchLabels", {{"app.kubernetes.io/name", "prometheus"}}}}}});
  }
  return {{"from", std::move(from)}, {"ports", Json::array({tcp(kAdminPort)})}};
}

Json from_world(const api::Ingress& ingress) {
  Json ports = Json::array();
  if (ingress.grpc_enabled) ports.push_back(tcp(kIngressGrpcPort));
  if (ingress.http_enabled) ports.push_back(tcp(kIngressHttpPort));
  return {{"ports", std::move(ports)}};
}

Json from_clients(const api::Query& query) {
  Json rule = {{"ports", Json::array({tcp(kQueryPort), tcp(kQueryGrpcPort)})}};
  if (query.allowed_from.is_array() && !query.allowed_from.empty())
    rule["from"] = query.allowed_from;
  return rule;
}

void append(Json& list, const Json& more) {
  if (!more.is_array()) return;
  for (const Json& item : more) list.push_back(item);
}

Manifest policy(const Context& context, const std::string& name, Json labels, const Json& selector,
                Json ingress, Json egress) {
  const api::NetworkPolicy& settings = context.pipeline.spec.network_policy;
  append(ingress, settings.extra_ingress);
  append(egress, settings.extra_egress);
  Manifest manifest = make_manifest(context, kube::kNetworkPolicies, name, std::move(labels));
  manifest.object["spec"] = {{"podSelector", {{"matchLabels", selector}}},
                             {"policyTypes", Json::array({"Ingress", "Egress"})},
                             {"ingress", std::move(ingress)},
                             {"egress", std::move(egress)}};
  return manifest;
}

Json to_destination(const Context& context) {
  return context.facts.deny_private_endpoints ? to_public_addresses() : to_anywhere();
}

Manifest component_policy(const Context& context, const ComponentSpec& spec) {
  const std::string& exporter = spec.id.exporter;
  Json ingress = Json::array({from_watchers(context)});
  Json egress = Json::array({to_dns()});
  switch (spec.id.role) {
    case Role::kIngress:
      ingress.push_back(from_world(context.pipeline.spec.ingress));
      egress.push_back(to_pods(context, Role::kBridge, "", kBridgePort));
      break;
    case Role::kBridge:
      ingress.push_back(from_pods(context, Role::kIngress, "", kBridgePort));
      egress.push_back(to_anywhere());
      break;
    case Role::kConsumer:
      egress.push_back(to_pods(context, Role::kExporter, exporter, kExporterPort));
      egress.push_back(to_anywhere());
      break;
    case Role::kExporter:
      ingress.push_back(from_pods(context, Role::kConsumer, exporter, kExporterPort));
      egress.push_back(to_destination(context));
      break;
    case Role::kQuery:
      ingress.push_back(from_clients(*context.pipeline.spec.query));
      egress.push_back(to_destination(context));
      break;
  }
  return policy(context, spec.object, component_labels(context, spec),
                component_selector(context, spec), std::move(ingress), std::move(egress));
}

// True when one of the user's rules admits traffic to the port.
bool opens(const Json& rule, int port) {
  const Json* ports = kube::find(rule, "ports");
  if (ports == nullptr || !ports->is_array() || ports->empty()) return true;
  return std::any_of(ports->begin(), ports->end(), [port](const Json& entry) {
    if (kube::string_at(entry, "protocol", "TCP") != "TCP") return false;
    const Json* value = kube::find(entry, "port");
    if (value == nullptr || value->is_null()) return true;
    if (value->is_string()) return *value == kOtlpPortName;
    const std::int64_t first = kube::int_at(entry, "port");
    return first <= port && port <= kube::int_at(entry, "endPort", first);
  });
}

}  // namespace

bool is_shielded(const api::Pipeline& pipeline, int port) {
  const api::NetworkPolicy& settings = pipeline.spec.network_policy;
  if (!settings.enabled) return false;
  return std::none_of(settings.extra_ingress.begin(), settings.extra_ingress.end(),
                      [port](const Json& rule) { return opens(rule, port); });
}

std::vector<Manifest> network_policies(const Context& context) {
  std::vector<Manifest> policies;
  if (!context.pipeline.spec.network_policy.enabled) return policies;
  for (const ComponentSpec& spec : component_specs(context.pipeline))
    policies.push_back(component_policy(context, spec));
  for (const StorageJob& job : storage_job_list(context.pipeline)) {
    policies.push_back(policy(context, job.name, storage_job_labels(context, job),
                              storage_job_selector(context, job), Json::array(),
                              Json::array({to_dns(), to_destination(context)})));
  }
  if (has_topics_job(context.pipeline)) {
    policies.push_back(policy(context, topics_name(context.pipeline),
                              common_labels(context, kTopicsComponent), topics_selector(context),
                              Json::array(), Json::array({to_dns(), to_anywhere()})));
  }
  return policies;
}

}  // namespace spanway::render
