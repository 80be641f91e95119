// The parts of the declaration, by section of the spec; see fields.h.
#pragma once

#include "operator/api/fields.h"

namespace spanway::api {

void describe(Fields& f, SecretKey& c);
void describe(Fields& f, Image& c);
void describe(Fields& f, PodTemplate& c);
void describe(Fields& f, CpuAutoscaling& c);
void describe(Fields& f, LagAutoscaling& c);
void describe(Fields& f, Ingress& c);
void describe(Fields& f, Produce& c);
void describe(Fields& f, Kafka& c);
void describe(Fields& f, Exporter& c);
void describe(Fields& f, Query& c);
// Sections that ingress and query share.
void describe(Fields& f, IngressTls& c);
void describe(Fields& f, IngressAuth& c);
void describe(Fields& f, IngressTenant& c);
void describe(Fields& f, IngressService& c);
// Between `query` and other sections.
void rule_on_query(Fields& f, PipelineSpec& c);
// `username` and `passwordSecretKeyRef`; see rule_on_clickhouse_user.
void describe_clickhouse_user(Fields& f, std::string& username, SecretKey& password,
                              const char* username_doc);
// The rule that the password needs the username, in an object with these two fields.
template <typename Section>
void rule_on_clickhouse_user(Fields& f, Section& c) {
  f.rule(c,
         {.field = "passwordSecretKeyRef",
          .cel = "has(self.username) || !has(self.passwordSecretKeyRef)",
          .message = "needs username"},
         [](const Section& s) { return !s.username.empty() || s.password.name.empty(); });
}
// `caSecretName`, `clientCertificateSecretName` and `serverName`.
void describe_client_tls(Fields& f, std::string& ca_secret_name,
                         std::string& client_certificate_secret_name, std::string& server_name);

// The API server checks these only in a pod: after half of the Pipeline has been written.
const RuleInfo& no_negative_quantity();
bool has_no_negative_quantity(const Json& resources);
const RuleInfo& no_request_above_limit();
bool has_no_request_above_limit(const Json& resources);
// Both, in an object with the field `resources`.
template <typename Section>
void rule_on_resources(Fields& f, Section& c) {
  f.rule(c, no_negative_quantity(),
         [](const Section& s) { return has_no_negative_quantity(s.resources); });
  f.rule(c, no_request_above_limit(),
         [](const Section& s) { return has_no_request_above_limit(s.resources); });
}

// The name of a Secret in the Pipeline's namespace, never of another one.
enum class Presence { kOptional, kRequired };
void describe_secret_name(Fields& f, std::string_view name, std::string& value, Presence presence,
                          const char* doc);
// An optional SecretKey: unset = its name is empty.
void describe_optional_key(Fields& f, std::string_view name, SecretKey& value, const char* doc);
// Fields of every component: replicas, autoscaling, template, config.
void describe_replicas(Fields& f, std::int64_t& replicas, const char* doc);
void describe_pods(Fields& f, PodTemplate& pods, Json& config, const char* service);

// An object name that is one DNS label; bounds are set where it is used.
inline constexpr char kLabelPattern[] = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
// A file's name, as keys of Secrets become files: neither "." nor ".." nor anything like that.
inline constexpr char kSecretKeyPattern[] = "[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*";
inline constexpr char kClickHouseNamePattern[] = "[A-Za-z_][A-Za-z0-9_]{0,63}";
// A name with dots: Secrets, classes, hosts.
inline constexpr char kSubdomainPattern[] = "[a-z0-9]([-a-z0-9.]*[a-z0-9])?";

}  // namespace spanway::api
