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
  f.optional("autoscaling", c.autoscaling, {.doc = "A HorizontalPodAutoscaler by CPU."});
  describe_pods(f, c.pods, c.config,
                "Settings of spanway-query that have no field here, in its own keys (CONFIG.md).");
}

void rule_on_query_store(Fields& f, PipelineSpec& c) {
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
