// The query service.
#include <algorithm>

#include "operator/api/declaration_parts.h"

namespace spanway::api {

// Not in the unnamed namespace: Fields finds them next to their types.
static void describe(Fields& f, ClickHouseStore::Tls& c) {
  describe_client_tls(f, c.ca_secret_name, c.client_certificate_secret_name, c.server_name);
}

static void describe(Fields& f, ClickHouseStore& c) {
  f.field("exporter", c.exporter,
          {.doc = "An exporter of type ClickHouse: its endpoint, database and TLS, and its user "
                  "where `username` is unset.",
           .pattern = kLabelPattern,
           .length_max = 38});
  f.field("endpoint", c.endpoint,
          {.doc = "URL of a server instead.",
           .example = "http://clickhouse:8123",
           .pattern = "https?://[!-?A-~]+",
           .length_max = 1024});
  f.field("database", c.database,
          {.doc = "Database of the tables, with `endpoint`. Unset = otel.",
           .pattern = kClickHouseNamePattern,
           .length_max = 64});
  describe_clickhouse_user(f, c.username, c.password,
                           "User that may SELECT. Unset = the exporter's, or the server's default "
                           "user.");
  f.optional("tls", c.tls, {.doc = "TLS to the server, with `endpoint`."});
  f.rule(c,
         {.field = "exporter",
          .cel = "has(self.exporter) != has(self.endpoint)",
          .message = "or endpoint is needed, and not both"},
         [](const ClickHouseStore& s) { return s.exporter.empty() != s.endpoint.empty(); });
  f.rule(c,
         {.field = "exporter",
          .cel = "!has(self.exporter) || (!has(self.database) && !has(self.tls))",
          .message = "decides database and tls"},
         [](const ClickHouseStore& s) {
           return s.exporter.empty() || (s.database.empty() && !s.tls.has_value());
         });
  rule_on_clickhouse_user(f, c);
}

// The API server refuses other paths in an Ingress: empty segments, "." and "..".
constexpr char kPathPattern[] =
    "/([A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)?";
constexpr char kHostPattern[] =
    "([*][.])?[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

static void describe_route(Fields& f, std::string& path,
                           std::map<std::string, std::string>& annotations) {
  f.field("path", path,
          {.doc = "Prefix of the requests that are forwarded, unchanged: `/loki` opens Loki's API "
                  "only.",
           .pattern = kPathPattern,
           .length_max = 253});
  f.field("annotations", annotations,
          {.doc = "Its annotations.", .length_min = 0, .length_max = 4096});
}

static void describe(Fields& f, QueryIngress& c) {
  f.field("className", c.class_name,
          {.doc = "The IngressClass. Unset = the cluster's default.",
           .example = "nginx",
           .pattern = kSubdomainPattern});
  f.field("host", c.host,
          {.doc = "Host of the requests. Unset = every host.",
           .example = "telemetry.example.com",
           .pattern = kHostPattern,
           .length_max = 253});
  describe_secret_name(f, "tlsSecretName", c.tls_secret_name, Presence::kOptional,
                       "Secret with the certificate, for the Ingress controller; the operator does "
                       "not read it. Unset = plain HTTP.");
  describe_route(f, c.path, c.annotations);
}

static void describe(Fields& f, GatewayReference& c) {
  f.field("name", c.name,
          {.doc = "Name of the Gateway.", .pattern = kSubdomainPattern, .required = true});
  f.field("namespace", c.name_space,
          {.doc = "Its namespace. Unset = the Pipeline's.",
           .pattern = kLabelPattern,
           .length_max = 63});
  f.field("sectionName", c.section_name,
          {.doc = "Its listener. Unset = all that admit the route.", .pattern = kSubdomainPattern});
}

static void describe(Fields& f, QueryHttpRoute& c) {
  f.list("parentRefs", c.parents,
         {.doc = "The Gateways that requests come from.",
          .items_min = 1,
          .items_max = 8,
          .required = true});
  f.field("hostnames", c.hostnames,
          {.doc = "Hosts of the requests. Empty = those of the Gateways.",
           .example = "[\"telemetry.example.com\"]",
           .pattern = kHostPattern,
           .length_max = 253,
           .items_max = 16});
  describe_route(f, c.path, c.annotations);
}

void describe(Fields& f, Query& c) {
  describe_replicas(f, c.replicas, "Pods; with `autoscaling` it is not applied.");
  f.group("stores", {.doc = "Where telemetry is read from.", .required = true},
          [&c](Fields& inner) {
            inner.object("clickhouse", c.clickhouse,
                         {.doc = "The ClickHouse that an exporter writes to.", .required = true});
          });
  f.field(
      "port", c.port,
      {.doc = "Port of the Service; the pods have a port of their own.", .min = 1, .max = 65535});
  f.optional("tls", c.tls, {.doc = "TLS of the APIs; unset = plain text."});
  f.object("auth", c.auth, {.doc = "Authentication of clients."});
  f.object("tenant", c.tenant, {.doc = "Tenant whose telemetry a client reads."});
  f.object("service", c.service, {.doc = "The Service in front of the pods."});
  f.optional("ingress", c.ingress,
             {.doc = "An Ingress (networking.k8s.io/v1) in front of the Service. With `tls` its "
                     "controller must speak HTTPS to the Service, as annotations of it say."});
  f.optional("httpRoute", c.http_route,
             {.doc = "An HTTPRoute (gateway.networking.k8s.io/v1) to the Service. Refused where "
                     "the cluster has no Gateway API."});
  f.raw("allowedFrom", c.allowed_from, RawShape::kListOfObjects,
        {.doc = "Peers of networking.k8s.io/v1 that may reach the APIs; an Ingress controller or a "
                "Gateway is one of them. Empty = any.",
         .kubernetes_type = "NetworkPolicyPeer"});
  f.optional("autoscaling", c.autoscaling, {.doc = "A HorizontalPodAutoscaler by CPU."});
  describe_pods(f, c.pods, c.config,
                "Settings of spanway-query that have no field here, in its own keys (CONFIG.md).");
}

void rule_on_query(Fields& f, PipelineSpec& c) {
  f.rule(c,
         {.field = "query.allowedFrom",
          .cel = "self.networkPolicy.enabled || !has(self.query) || !has(self.query.allowedFrom) "
                 "|| size(self.query.allowedFrom) == 0",
          .message = "needs networkPolicy.enabled: nothing else would keep others out"},
         [](const PipelineSpec& s) {
           return s.network_policy.enabled || !s.query || s.query->allowed_from.is_null() ||
                  s.query->allowed_from.empty();
         });
  f.rule(c,
         {.field = "query.stores.clickhouse.exporter",
          .cel = "!has(self.query) || !has(self.query.stores.clickhouse.exporter) || "
                 "self.exporters.exists(e, e.name == self.query.stores.clickhouse.exporter && "
                 "e.destination.type == 'ClickHouse')",
          .message = "must name an exporter of type ClickHouse"},
         [](const PipelineSpec& s) {
           if (!s.query || s.query->clickhouse.exporter.empty()) return true;
           return std::any_of(s.exporters.begin(), s.exporters.end(), [&s](const Exporter& e) {
             return e.name == s.query->clickhouse.exporter &&
                    e.destination.type == Destination::Type::kClickHouse;
           });
         });
}

}  // namespace spanway::api
