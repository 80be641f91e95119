#include "operator/api/destination_fields.h"

#include <algorithm>
#include <array>

#include "operator/api/cron.h"
#include "operator/api/declaration_parts.h"
#include "services/lib/config/substitute.h"

namespace spanway::api {
namespace {

void describe_tenant_header(Fields& f, std::string& tenant_header) {
  f.field("tenantHeader", tenant_header,
          {.doc = "Header that carries the tenant of a batch. Unset = none.",
           .example = "X-Scope-OrgID",
           .pattern = "[A-Za-z0-9-]+",
           .length_max = 64});
}

}  // namespace

void describe_clickhouse_user(Fields& f, std::string& username, SecretKey& password,
                              const char* username_doc) {
  f.field("username", username,
          {.doc = username_doc, .pattern = "[^\\x00-\\x1f\\x7f]+", .length_max = 256});
  describe_optional_key(f, "passwordSecretKeyRef", password, "The key with its password.");
}

// Not in the unnamed namespace: Fields finds them next to their types.
static void describe(Fields& f, ClickHouseDestination::Migrate& c) {
  f.field(
      "enabled", c.enabled,
      {.doc = "Run `spanway-exporter migrate` as a Job, before the exporter is rolled out. Off: "
              "the tables are managed elsewhere."});
  describe_clickhouse_user(f, c.username, c.password,
                           "User that may create databases and tables. Unset = the exporter's.");
  rule_on_clickhouse_user(f, c);
}

static void describe(Fields& f, ClickHouseDestination& c) {
  f.field("database", c.database,
          {.doc = "Database of the tables.", .pattern = kClickHouseNamePattern, .length_max = 64});
  f.field(
      "cluster", c.cluster,
      {.doc = "Name of a ClickHouse cluster: the tables are replicated and distributed over it. "
              "Unset = one server.",
       .pattern = "[A-Za-z0-9_.-]+",
       .length_max = 64});
  describe_clickhouse_user(f, c.username, c.password,
                           "User that may insert and read system.columns. Unset = the server's "
                           "default user.");
  f.object("migrate", c.migrate, {.doc = "The Job that creates and updates the tables."});
  rule_on_clickhouse_user(f, c);
}

static void describe(Fields& f, S3Destination::Compact& c) {
  f.field("enabled", c.enabled, {.doc = "Run `spanway-exporter compact` as a CronJob."});
  f.field("schedule", c.schedule,
          {.doc = "When, as minute, hour, day of month, month and day of week, in the time zone of "
                  "the cluster's controller manager.",
           .pattern = "[0-9*/,-]+ [0-9*/,-]+ [0-9*/,-]+ [0-9A-Za-z*/,-]+ [0-9A-Za-z*/,-]+",
           .length_max = 100});
  f.field("days", c.days,
          {.doc = "Days before today whose hours are compacted.", .min = 0, .max = 400});
  f.raw("resources", c.resources, RawShape::kObject,
        {.doc = "Resources of its container. Unset = 100m CPU and 256Mi requested, 1Gi limit.",
         .kubernetes_type = "ResourceRequirements"});
  rule_on_resources(f, c);
  f.rule(c,
         {.field = "schedule",
          .cel = kCronCel,
          .message =
              "must be five fields with one space between: minutes 0-59, hours 0-23, days 1-31, "
              "months 1-12 or jan-dec, days of the week 0-6 or sun-sat; each *, a value, a range, "
              "/step, or a list of these"},
         [](const S3Destination::Compact& d) {
           return cron_problem(d.schedule) != CronProblem::kMalformed;
         });
  f.rule(c, {.field = "schedule", .message = "must not have a range that ends before it begins"},
         [](const S3Destination::Compact& d) {
           return cron_problem(d.schedule) != CronProblem::kReversed;
         });
}

static void describe(Fields& f, S3Destination& c) {
  f.field("bucket", c.bucket,
          {.doc = "Bucket; it must exist.",
           .pattern = "[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
           .length_min = 3,
           .length_max = 63,
           .required = true});
  f.field("region", c.region,
          {.doc = "Region of the bucket.", .pattern = "[a-z0-9-]+", .length_max = 40});
  f.field("prefix", c.prefix,
          {.doc = "Begin of every key in the bucket.",
           .pattern = "[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*",
           .length_max = 200});
  f.field(
      "pathStyle", c.path_style,
      {.doc = "Name the bucket in the path instead of the host name, as most S3 servers besides "
              "AWS need it."});
  describe_optional_key(f, "credentialsSecretKeyRef", c.credentials,
                        "The key with a file of AWS credentials; read again when it changes. Unset "
                        "= web identity of the pods' ServiceAccount, or template.env.");
  f.field("profile", c.profile,
          {.doc = "Profile in that file. Unset = default.",
           .pattern = "[A-Za-z0-9_.-]+",
           .length_max = 64});
  f.object("compact", c.compact,
           {.doc = "The CronJob that joins the small objects of past hours."});
  f.rule(c,
         {.field = "profile",
          .cel = "!has(self.profile) || has(self.credentialsSecretKeyRef)",
          .message = "needs credentialsSecretKeyRef"},
         [](const S3Destination& d) { return d.profile.empty() || !d.credentials.name.empty(); });
}

static void describe(Fields& f, LokiDestination& c) {
  f.field("protocol", c.protocol, {"Otlp", "Push"},
          {.doc = "Otlp: Loki decides which resource attributes become labels. Push: `labels` "
                  "does."});
  f.field("labels", c.labels,
          {.doc = "With Push: resource attributes that become labels. Unset = as in CONFIG.md.",
           .example = "[service.name, k8s.namespace.name]",
           .pattern = "[!-~]+",
           .length_max = 128,
           .items_max = 15});
  describe_tenant_header(f, c.tenant_header);
  f.rule(c,
         {.field = "labels",
          .cel = "!has(self.labels) || self.protocol == 'Push'",
          .message = "is not used unless protocol is Push"},
         [](const LokiDestination& d) {
           return d.labels.empty() || d.protocol == LokiDestination::Protocol::kPush;
         });
}

static void describe(Fields& f, PrometheusRemoteWriteDestination& c) {
  f.field("protocol", c.protocol, {"Auto", "V2.0", "V1.0"},
          {.doc = "Version of remote write. Auto: 2.0, and 1.0 once the receiver shows that it has "
                  "no 2.0."});
  f.field("translation", c.translation,
          {"UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes",
           "NoUTF8EscapingWithSuffixes", "NoTranslation"},
          {.doc = "How names of metrics and attributes become those of series, as "
                  "`otlp.translation_strategy` of Prometheus."});
  f.field("promoteResourceAttributes", c.promote_resource_attributes,
          {.doc = "Resource attributes that become labels of every series. Unset = they are labels "
                  "of target_info only.",
           .example = "[service.version, k8s.namespace.name]",
           .pattern = "[!-~]+",
           .length_max = 128});
  f.field("delta", c.delta, {"Reject", "AsIs"},
          {.doc = "Sums and histograms of delta temporality. Reject: copies of them are dead "
                  "letters. AsIs: each value is a sample."});
  f.field("histograms", c.histograms, {"Classic", "Native"},
          {.doc = "Histograms with explicit bounds. Classic: a series for each bucket. Native: one "
                  "native histogram with custom buckets."});
  describe_tenant_header(f, c.tenant_header);
}

namespace {

// The section, or its defaults.
template <typename Section>
const Section& section_or_defaults(const std::optional<Section>& section) {
  static const Section kDefaults;
  return section ? *section : kDefaults;
}
const ClickHouseDestination& clickhouse_of(const Destination& d) {
  return section_or_defaults(d.clickhouse);
}
const S3Destination& s3_of(const Destination& d) { return section_or_defaults(d.s3); }
const LokiDestination& loki_of(const Destination& d) { return section_or_defaults(d.loki); }
const PrometheusRemoteWriteDestination& prometheus_of(const Destination& d) {
  return section_or_defaults(d.prometheus_remote_write);
}

SectionValue literal_or_unset(const std::string& text) {
  return text.empty() ? SectionValue{} : SectionValue{.json = config::escape_dollars(text)};
}
// For a text whose pattern has no dollar.
SectionValue text_or_unset(const std::string& text) {
  return text.empty() ? SectionValue{} : SectionValue{.json = text};
}
SectionValue literals(const std::vector<std::string>& texts) {
  SectionValue value;
  for (const std::string& text : texts) value.json.push_back(config::escape_dollars(text));
  return value;
}
SectionValue secret(const SecretKey& key, SecretForm form) {
  return key.name.empty() ? SectionValue{} : SectionValue{.secret = &key, .form = form};
}
template <typename E, std::size_t kSize>
SectionValue word(const std::array<const char*, kSize>& words, E value) {
  return {.json = words.at(static_cast<std::size_t>(value))};
}

constexpr std::array kLokiProtocols = {"otlp", "push"};
constexpr std::array kRemoteWriteProtocols = {"auto", "2.0", "1.0"};
constexpr std::array kTranslations = {"UnderscoreEscapingWithSuffixes",
                                      "UnderscoreEscapingWithoutSuffixes",
                                      "NoUTF8EscapingWithSuffixes", "NoTranslation"};
constexpr std::array kDeltas = {"reject", "as_is"};
constexpr std::array kHistograms = {"classic", "native"};

using D = const Destination&;

constexpr std::array kClickHouseKeys = {
    SectionKey{"database", "database",
               [](D d) { return text_or_unset(clickhouse_of(d).database); }},
    SectionKey{"cluster", "cluster", [](D d) { return text_or_unset(clickhouse_of(d).cluster); }},
    SectionKey{"username", "username",
               [](D d) { return literal_or_unset(clickhouse_of(d).username); }},
    SectionKey{"password", "passwordSecretKeyRef",
               [](D d) { return secret(clickhouse_of(d).password, SecretForm::kContent); }},
};
constexpr std::array kS3Keys = {
    SectionKey{"bucket", "bucket", [](D d) { return SectionValue{.json = s3_of(d).bucket}; }},
    SectionKey{"region", "region", [](D d) { return SectionValue{.json = s3_of(d).region}; }},
    SectionKey{"prefix", "prefix", [](D d) { return SectionValue{.json = s3_of(d).prefix}; }},
    SectionKey{"path_style", "pathStyle",
               [](D d) { return SectionValue{.json = s3_of(d).path_style}; }},
    SectionKey{"credentials", "credentialsSecretKeyRef",
               [](D d) { return text_or_unset(s3_of(d).credentials.name.empty() ? "" : "file"); }},
    // Read again before each signature when it has changed.
    SectionKey{"credentials_file", "credentialsSecretKeyRef",
               [](D d) { return secret(s3_of(d).credentials, SecretForm::kPath); }},
    SectionKey{"profile", "profile", [](D d) { return text_or_unset(s3_of(d).profile); }},
};
constexpr std::array kLokiKeys = {
    SectionKey{"protocol", "protocol",
               [](D d) { return word(kLokiProtocols, loki_of(d).protocol); }},
    SectionKey{"labels", "labels", [](D d) { return literals(loki_of(d).labels); }},
    SectionKey{"tenant_header", "tenantHeader",
               [](D d) { return text_or_unset(loki_of(d).tenant_header); }},
};
constexpr std::array kPrometheusKeys = {
    SectionKey{"protocol", "protocol",
               [](D d) { return word(kRemoteWriteProtocols, prometheus_of(d).protocol); }},
    SectionKey{"translation", "translation",
               [](D d) { return word(kTranslations, prometheus_of(d).translation); }},
    SectionKey{"promote", "promoteResourceAttributes",
               [](D d) { return literals(prometheus_of(d).promote_resource_attributes); }},
    SectionKey{"delta", "delta", [](D d) { return word(kDeltas, prometheus_of(d).delta); }},
    SectionKey{"histograms", "histograms",
               [](D d) { return word(kHistograms, prometheus_of(d).histograms); }},
    SectionKey{"tenant_header", "tenantHeader",
               [](D d) { return text_or_unset(prometheus_of(d).tenant_header); }},
};

// The functions of a row, from the member of Destination that is its section.
template <auto kMember>
constexpr DestinationFields row(DestinationFields fields) {
  fields.describe = [](Fields& f, Destination& c, const DestinationFields& self) {
    f.optional(self.section, c.*kMember, {.doc = self.doc});
  };
  fields.has_section = [](const Destination& d) { return (d.*kMember).has_value(); };
  return fields;
}

constexpr std::array kTable = {
    row<&Destination::clickhouse>(
        {.name = "clickhouse",
         .section = "clickhouse",
         .doc = "For type ClickHouse. Unset = the defaults of its fields.",
         .keys = kClickHouseKeys}),
    row<&Destination::s3>({.name = "s3",
                           .section = "s3",
                           .doc = "For type S3.",
                           .needed_because = "it names the bucket",
                           .keys = kS3Keys}),
    row<&Destination::loki>({.name = "loki",
                             .section = "loki",
                             .doc = "For type Loki. Unset = the defaults of its fields.",
                             .keys = kLokiKeys}),
    row<&Destination::prometheus_remote_write>(
        {.name = "prometheus_remote_write",
         .section = "prometheusRemoteWrite",
         .doc = "For type PrometheusRemoteWrite. Unset = the defaults of its fields.",
         .keys = kPrometheusKeys}),
};

}  // namespace

std::span<const DestinationFields> destination_fields() noexcept { return kTable; }

const DestinationFields* fields_of(const Destination& destination) noexcept {
  const auto* found = std::find_if(kTable.begin(), kTable.end(), [&](const DestinationFields& row) {
    return row.name == sinks::to_string(destination.type);
  });
  return found == kTable.end() ? nullptr : found;
}

std::vector<std::pair<std::string, SectionValue>> section_values(const Destination& destination) {
  std::vector<std::pair<std::string, SectionValue>> values;
  const DestinationFields* fields = fields_of(destination);
  if (fields == nullptr) return values;
  if (*fields->needed_because != '\0' && !fields->has_section(destination)) return values;
  for (const SectionKey& key : fields->keys) {
    SectionValue value = key.value(destination);
    if (value.secret != nullptr || !value.json.is_null())
      values.emplace_back(std::string(key.key), std::move(value));
  }
  return values;
}

}  // namespace spanway::api
