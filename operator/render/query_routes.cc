#include "operator/render/query_routes.h"

namespace spanway::render {
namespace {

Manifest route_manifest(const Context& context, const ComponentSpec& spec,
                        const kube::ResourceType& type,
                        const std::map<std::string, std::string>& annotations) {
  Manifest manifest = make_manifest(context, type, spec.object, component_labels(context, spec));
  if (!annotations.empty()) manifest.object["metadata"]["annotations"] = annotations;
  return manifest;
}

Manifest ingress(const Context& context, const ComponentSpec& spec) {
  const api::Query& query = *context.pipeline.spec.query;
  const api::QueryIngress& settings = *query.ingress;
  Manifest manifest = route_manifest(context, spec, kube::kIngresses, settings.annotations);
  Json rule = {
      {"http",
       {{"paths",
         Json::array(
             {{{"path", settings.path},
               {"pathType", "Prefix"},
               {"backend",
                {{"service", {{"name", spec.object}, {"port", {{"number", query.port}}}}}}}}})}}}};
  if (!settings.host.empty()) rule["host"] = settings.host;
  Json& body = manifest.object["spec"];
  body["rules"] = Json::array({std::move(rule)});
  if (!settings.class_name.empty()) body["ingressClassName"] = settings.class_name;
  if (settings.tls_secret_name.empty()) return manifest;
  Json tls = {{"secretName", settings.tls_secret_name}};
  if (!settings.host.empty()) tls["hosts"] = Json::array({settings.host});
  body["tls"] = Json::array({std::move(tls)});
  return manifest;
}

// With what the API server would default, so that nothing differs from what it stores.
Json parent_reference(const api::GatewayReference& gateway) {
  Json parent = {{"group", kube::kHttpRoutes.group}, {"kind", "Gateway"}, {"name", gateway.name}};
  if (!gateway.name_space.empty()) parent["namespace"] = gateway.name_space;
  if (!gateway.section_name.empty()) parent["sectionName"] = gateway.section_name;
  return parent;
}

Manifest http_route(const Context& context, const ComponentSpec& spec) {
  const api::Query& query = *context.pipeline.spec.query;
  const api::QueryHttpRoute& settings = *query.http_route;
  Manifest manifest = route_manifest(context, spec, kube::kHttpRoutes, settings.annotations);
  Json& body = manifest.object["spec"];
  body["parentRefs"] = Json::array();
  for (const api::GatewayReference& gateway : settings.parents)
    body["parentRefs"].push_back(parent_reference(gateway));
  if (!settings.hostnames.empty()) body["hostnames"] = settings.hostnames;
  body["rules"] = Json::array(
      {{{"matches", Json::array({{{"path", {{"type", "PathPrefix"}, {"value", settings.path}}}}})},
        {"backendRefs", Json::array({{{"group", ""},
                                      {"kind", kube::kServices.kind},
                                      {"name", spec.object},
                                      {"port", query.port},
                                      {"weight", 1}}})}}});
  return manifest;
}

}  // namespace

std::vector<Manifest> query_routes(const Context& context, const ComponentSpec& spec) {
  const api::Query& query = *context.pipeline.spec.query;
  std::vector<Manifest> out;
  if (query.ingress) out.push_back(ingress(context, spec));
  if (query.http_route && context.facts.serves.http_routes)
    out.push_back(http_route(context, spec));
  return out;
}

}  // namespace spanway::render
