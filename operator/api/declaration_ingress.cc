// The ingress and the producing bridge.
#include <algorithm>

#include "operator/api/declaration_parts.h"
#include "services/lib/base/ascii.h"
#include "services/lib/config/endpoint.h"

namespace spanway::api {
namespace {

constexpr char kTenantPattern[] = "[A-Za-z0-9_-]+";
constexpr std::size_t kTenantLengthMax = 64;
constexpr std::size_t kClientsMax = 64;

FieldInfo tenant_info(const char* doc) {
  return {.doc = doc, .pattern = kTenantPattern, .length_max = kTenantLengthMax};
}

}  // namespace

// Not in the unnamed namespace: Fields finds them next to their types.
void describe(Fields& f, IngressTls& c) {
  describe_secret_name(f, "secretName", c.secret_name, Presence::kRequired,
                       "Secret with tls.crt and tls.key. A renewed certificate is loaded without a "
                       "restart.");
  describe_secret_name(
      f, "clientCASecretName", c.client_ca_secret_name, Presence::kOptional,
      "Secret with ca.crt; set = clients must present a certificate that it issued (mTLS).");
}

static void describe(Fields& f, IngressToken& c) {
  f.field("name", c.name,
          {.doc = "Purpose of the token; never sent.",
           .pattern = kLabelPattern,
           .length_max = 63,
           .required = true});
  f.object("secretKeyRef", c.secret, {.doc = "The key with the token.", .required = true});
  f.field("tenant", c.tenant, tenant_info("The tenant of this token, with tenant.from Token."));
}

static void describe(Fields& f, IngressUser& c) {
  f.field("name", c.name,
          {.doc = "The user name.",
           .pattern = "[-A-Za-z0-9._@]+",
           .length_max = 128,
           .required = true});
  f.object("passwordSecretKeyRef", c.password,
           {.doc = "The key with the password.", .required = true});
  f.field("tenant", c.tenant, tenant_info("The tenant of this user, with tenant.from Token."));
}

void describe(Fields& f, IngressAuth& c) {
  f.field("mode", c.mode, {"None", "Bearer", "Basic"},
          {.doc = "Credentials that clients must send: none, one of `tokens`, or one of `users`."});
  f.list("tokens", c.tokens, {.doc = "Accepted bearer tokens.", .items_max = kClientsMax});
  f.list("users", c.users, {.doc = "Accepted users.", .items_max = kClientsMax});
  f.rule(c,
         {.field = "tokens",
          .cel = "self.mode != 'Bearer' || (has(self.tokens) && size(self.tokens) > 0)",
          .message = "must not be empty with mode Bearer: every request would be refused"},
         [](const IngressAuth& a) {
           return a.mode != IngressAuth::Mode::kBearer || !a.tokens.empty();
         });
  f.rule(
      c,
      {.field = "users",
       .cel = "self.mode != 'Basic' || (has(self.users) && size(self.users) > 0)",
       .message = "must not be empty with mode Basic: every request would be refused"},
      [](const IngressAuth& a) { return a.mode != IngressAuth::Mode::kBasic || !a.users.empty(); });
  f.rule(c,
         {.field = "tokens",
          .cel = "self.mode == 'Bearer' || !has(self.tokens) || size(self.tokens) == 0",
          .message = "are not checked unless mode is Bearer: set it or drop the tokens"},
         [](const IngressAuth& a) {
           return a.mode == IngressAuth::Mode::kBearer || a.tokens.empty();
         });
  f.rule(
      c,
      {.field = "users",
       .cel = "self.mode == 'Basic' || !has(self.users) || size(self.users) == 0",
       .message = "are not checked unless mode is Basic: set it or drop the users"},
      [](const IngressAuth& a) { return a.mode == IngressAuth::Mode::kBasic || a.users.empty(); });
}

void describe(Fields& f, IngressTenant& c) {
  f.field("from", c.from, {"None", "Header", "Token", "Certificate"},
          {.doc = "Source of a request's tenant: none, a header, the token or user, or the "
                  "client certificate."});
  f.field("header", c.header,
          {.doc = "Name of that header, in any case. Unset = x-scope-orgid.",
           .pattern = "[A-Za-z0-9_.-]+",
           .length_max = 64});
  f.field("default", c.default_tenant, tenant_info("Tenant of requests that name none."));
  f.field("required", c.required, {.doc = "Refuse requests without a tenant."});
  f.rule(c,
         {.field = "header",
          .cel = "!has(self.header) || self.from == 'Header'",
          .message = "is not read unless from is Header"},
         [](const IngressTenant& t) {
           return t.header.empty() || t.from == IngressTenant::From::kHeader;
         });
  f.rule(c,
         {.field = "header",
          .cel = "!has(self.header) || !self.header.lowerAscii().startsWith('spanway-')",
          .message = "must not begin with spanway-: those names are for Spanway's own services"},
         [](const IngressTenant& t) { return !to_lower(t.header).starts_with("spanway-"); });
  f.rule(c,
         {.field = "required",
          .cel = "!self.required || self.from != 'None' || has(self.default)",
          .message = "can never be met: set from or default"},
         [](const IngressTenant& t) {
           return !t.required || t.from != IngressTenant::From::kNone || !t.default_tenant.empty();
         });
}

static void describe(Fields& f, IngressLimits& c) {
  f.field("itemsPerSecond", c.items_per_second,
          {.doc = "Spans, metrics and log records of one tenant, per pod; more are refused with a "
                  "retry delay.",
           .min = 1,
           .absent = "no limit"});
  f.quantity("bytesPerSecond", c.bytes_per_second,
             {.doc = "The same in bytes, decompressed.", .example = "10Mi"});
}

void describe(Fields& f, IngressService& c) {
  f.field("type", c.type, {"ClusterIP", "NodePort", "LoadBalancer"},
          {.doc = "How clients reach it."});
  f.field("annotations", c.annotations,
          {.doc = "Annotations of the Service, for load balancers.",
           .length_min = 0,
           .length_max = 4096});
  f.field("labels", c.labels,
          {.doc = "Further labels of the Service.",
           .pattern = "([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?",
           .length_min = 0,
           .length_max = 63});
  f.rule(
      c,
      {.field = "labels",
       .cel = "!has(self.labels) || !self.labels.exists(k, k.startsWith('spanway.dev/') || "
              "k.startsWith('app.kubernetes.io/'))",
       .message = "must not hold labels of spanway.dev/ or app.kubernetes.io/: the operator sets "
                  "them"},
      [](const IngressService& s) {
        return std::none_of(s.labels.begin(), s.labels.end(), [](const auto& label) {
          return label.first.starts_with("spanway.dev/") ||
                 label.first.starts_with("app.kubernetes.io/");
        });
      });
}

namespace {

void describe_listeners(Fields& f, Ingress& c) {
  f.group("grpc", {.doc = "OTLP/gRPC."}, [&c](Fields& inner) {
    inner.field("enabled", c.grpc_enabled, {.doc = "Take OTLP/gRPC."});
    inner.field(
        "port", c.grpc_port,
        {.doc = "Port of the Service; the pods have ports of their own.", .min = 1, .max = 65535});
  });
  f.group("http", {.doc = "OTLP/HTTP."}, [&c](Fields& inner) {
    inner.field("enabled", c.http_enabled, {.doc = "Take OTLP/HTTP."});
    inner.field(
        "port", c.http_port,
        {.doc = "Port of the Service; the pods have ports of their own.", .min = 1, .max = 65535});
    inner.field("corsAllowedOrigins", c.cors_allowed_origins,
                {.doc = "Browsers' origins that may send, each with at most one `*`. Empty = none.",
                 .example = "[\"https://*.example.com\"]",
                 .pattern = "[!-)+-~]*[*]?[!-)+-~]*",
                 .length_max = 253});
  });
}

void rule_on_listeners(Fields& f, Ingress& c) {
  f.rule(c,
         {.cel = "self.grpc.enabled || self.http.enabled",
          .message = "grpc and http are both off: enable one of them"},
         [](const Ingress& i) { return i.grpc_enabled || i.http_enabled; });
  f.rule(c,
         {.field = "http.port",
          .cel = "!self.grpc.enabled || !self.http.enabled || self.http.port != self.grpc.port",
          .message = "must differ from grpc.port"},
         [](const Ingress& i) {
           return !i.grpc_enabled || !i.http_enabled || i.http_port != i.grpc_port;
         });
}

void rule_on_tenants(Fields& f, Ingress& c) {
  using From = IngressTenant::From;
  f.rule(c,
         {.field = "tenant.from",
          .cel = "self.tenant.from != 'Token' || self.auth.mode != 'None'",
          .message = "Token needs auth.mode Bearer or Basic"},
         [](const Ingress& i) {
           return i.tenant.from != From::kToken || i.auth.mode != IngressAuth::Mode::kNone;
         });
  f.rule(c,
         {.field = "tenant.from",
          .cel = "self.tenant.from != 'Certificate' || (has(self.tls) && "
                 "has(self.tls.clientCASecretName))",
          .message = "Certificate needs tls.clientCASecretName"},
         [](const Ingress& i) {
           return i.tenant.from != From::kCertificate ||
                  (i.tls && !i.tls->client_ca_secret_name.empty());
         });
  f.rule(c,
         {.field = "tenant.from",
          .cel = "self.tenant.from == 'Token' || ((!has(self.auth.tokens) || "
                 "!self.auth.tokens.exists(t, has(t.tenant))) && (!has(self.auth.users) || "
                 "!self.auth.users.exists(u, has(u.tenant))))",
          .message = "must be Token when tokens or users have a tenant: no other mode enforces it"},
         [](const Ingress& i) {
           const auto bound = [](const auto& client) { return !client.tenant.empty(); };
           return i.tenant.from == From::kToken ||
                  (std::none_of(i.auth.tokens.begin(), i.auth.tokens.end(), bound) &&
                   std::none_of(i.auth.users.begin(), i.auth.users.end(), bound));
         });
}

}  // namespace

void describe(Fields& f, Ingress& c) {
  describe_replicas(f, c.replicas, "Pods; with `autoscaling` it is not applied.");
  describe_listeners(f, c);
  f.optional("tls", c.tls, {.doc = "TLS of both listeners; unset = plain text."});
  f.object("auth", c.auth, {.doc = "Which clients are accepted."});
  f.object("tenant", c.tenant, {.doc = "Which tenant a request belongs to."});
  f.object("limits", c.limits, {.doc = "How much one tenant may send."});
  f.object("service", c.service, {.doc = "The Service in front of the pods."});
  f.optional("autoscaling", c.autoscaling, {.doc = "A HorizontalPodAutoscaler by CPU."});
  describe_pods(f, c.pods, c.config,
                "Settings of spanway-ingress that have no field here, in its own keys (CONFIG.md); "
                "merged over the generated file and checked with the service's own code.");
  rule_on_listeners(f, c);
  rule_on_tenants(f, c);
}

void describe(Fields& f, Produce& c) {
  describe_replicas(f, c.replicas, "Pods; with `autoscaling` it is not applied.");
  f.field("recordKey", c.record_key, {"None", "TraceId"},
          {.doc = "None: one record per partition and request. TraceId: one record per trace, with "
                  "the trace's id as key."});
  f.field("compression", c.compression, {"None", "Gzip", "Snappy", "Lz4", "Zstd"},
          {.doc = "Compression of records in Kafka."});
  f.optional("autoscaling", c.autoscaling, {.doc = "A HorizontalPodAutoscaler by CPU."});
  describe_pods(f, c.pods, c.config,
                "Settings of spanway-kafka-bridge that have no field here, in its own keys "
                "(CONFIG.md).");
}

}  // namespace spanway::api
