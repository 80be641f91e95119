#include "operator/render/services.h"

#include <array>

namespace spanway::render {
namespace {

constexpr char kHeadless[] = "None";

Json service_port(const char* name, std::int64_t number) {
  return {{"name", name}, {"port", number}, {"targetPort", name}, {"protocol", "TCP"}};
}

// For clients: user labels and annotations, load balancers, chosen port numbers. Without ports.
Manifest public_service(const Context& context, const ComponentSpec& spec,
                        const api::IngressService& service) {
  constexpr std::array kTypes = {"ClusterIP", "NodePort", "LoadBalancer"};
  Json labels = service.labels;
  if (labels.is_null()) labels = Json::object();
  labels.update(component_labels(context, spec));
  Manifest manifest = make_manifest(context, kube::kServices, spec.object, std::move(labels));
  if (!service.annotations.empty())
    manifest.object["metadata"]["annotations"] = service.annotations;
  Json& body = manifest.object["spec"];
  body["type"] = kTypes[static_cast<std::size_t>(service.type)];
  body["selector"] = component_selector(context, spec);
  body["ports"] = Json::array();
  return manifest;
}

Manifest query_service(const Context& context, const ComponentSpec& spec) {
  const api::Query& query = *context.pipeline.spec.query;
  Manifest manifest = public_service(context, spec, query.service);
  Json& ports = manifest.object["spec"]["ports"];
  ports.push_back(service_port("http", query.port));
  ports.back()["appProtocol"] = query.tls ? "https" : "http";
  if (query.port == kQueryGrpcPort) return manifest;  // A Service has a port once.
  ports.push_back(service_port("jaeger-grpc", kQueryGrpcPort));
  ports.back()["appProtocol"] = query.tls ? "https" : "kubernetes.io/h2c";
  return manifest;
}

Manifest ingress_service(const Context& context, const ComponentSpec& spec) {
  const api::Ingress& ingress = context.pipeline.spec.ingress;
  Manifest manifest = public_service(context, spec, ingress.service);
  Json& body = manifest.object["spec"];
  if (ingress.grpc_enabled) {
    body["ports"].push_back(service_port("otlp-grpc", ingress.grpc_port));
    body["ports"].back()["appProtocol"] = "kubernetes.io/h2c";
    if (ingress.tls) body["ports"].back()["appProtocol"] = "https";
  }
  if (ingress.http_enabled) {
    body["ports"].push_back(service_port("otlp-http", ingress.http_port));
    body["ports"].back()["appProtocol"] = ingress.tls ? "https" : "http";
  }
  return manifest;
}

Manifest headless_service(const Context& context, const ComponentSpec& spec, std::string name) {
  Manifest manifest =
      make_manifest(context, kube::kServices, std::move(name), component_labels(context, spec));
  manifest.object["metadata"]["labels"][kMetricsLabel] = "true";
  Json& body = manifest.object["spec"];
  body["type"] = "ClusterIP";
  body["clusterIP"] = kHeadless;
  body["selector"] = component_selector(context, spec);
  body["ports"] = Json::array({service_port("admin", kAdminPort)});
  return manifest;
}

}  // namespace

std::vector<Manifest> component_services(const Context& context, const ComponentSpec& spec) {
  std::vector<Manifest> services;
  switch (spec.id.role) {
    case Role::kIngress:
      services.push_back(ingress_service(context, spec));
      services.push_back(headless_service(context, spec, spec.object + "-admin"));
      return services;
    case Role::kQuery:
      services.push_back(query_service(context, spec));
      services.push_back(headless_service(context, spec, spec.object + "-admin"));
      return services;
    case Role::kBridge:
    case Role::kExporter: {
      const int number = spec.id.role == Role::kBridge ? kBridgePort : kExporterPort;
      services.push_back(headless_service(context, spec, spec.object));
      Json& list = services.back().object["spec"]["ports"];
      list.insert(list.begin(), service_port("otlp-grpc", number));
      return services;
    }
    case Role::kConsumer:
      services.push_back(headless_service(context, spec, spec.object));
      return services;
  }
  return services;
}

}  // namespace spanway::render
