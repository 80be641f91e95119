// Fields of destinations that store: ClickHouse, S3, Loki, Prometheus.
#include <algorithm>

#include "operator/api/cron.h"
#include "operator/api/declaration_parts.h"

namespace spanway::api {
namespace {

using Type = Destination::Type;

void describe_tenant_header(Fields& f, std::string& tenant_header) {
  f.field("tenantHeader", tenant_header,
          {.doc = "Header that carries the tenant of a batch. Unset = none.",
           .example = "X-Scope-OrgID",
           .pattern = "[A-Za-z0-9-]+",
           .length_max = 64});
}

bool has_own_compression(const Destination& d) {
  return d.type == Type::kS3 || d.type == Type::kPrometheusRemoteWrite;
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

void describe_storage(Fields& f, Destination& c) {
  f.optional("clickhouse", c.clickhouse,
             {.doc = "For type ClickHouse. Unset = the defaults of its fields."});
  f.optional("s3", c.s3, {.doc = "For type S3."});
  f.optional("loki", c.loki, {.doc = "For type Loki. Unset = the defaults of its fields."});
  f.optional("prometheusRemoteWrite", c.prometheus_remote_write,
             {.doc = "For type PrometheusRemoteWrite. Unset = the defaults of its fields."});
  f.rule(c,
         {.field = "clickhouse",
          .cel = "self.type == 'ClickHouse' || !has(self.clickhouse)",
          .message = "is for type ClickHouse"},
         [](const Destination& d) {
           return d.type == Type::kClickHouse || !d.clickhouse.has_value();
         });
  f.rule(c,
         {.field = "s3", .cel = "self.type == 'S3' || !has(self.s3)", .message = "is for type S3"},
         [](const Destination& d) { return d.type == Type::kS3 || !d.s3.has_value(); });
  f.rule(c,
         {.field = "s3",
          .cel = "self.type != 'S3' || has(self.s3)",
          .message = "is needed with type S3: it names the bucket"},
         [](const Destination& d) { return d.type != Type::kS3 || d.s3.has_value(); });
  f.rule(c,
         {.field = "loki",
          .cel = "self.type == 'Loki' || !has(self.loki)",
          .message = "is for type Loki"},
         [](const Destination& d) { return d.type == Type::kLoki || !d.loki.has_value(); });
  f.rule(c,
         {.field = "prometheusRemoteWrite",
          .cel = "self.type == 'PrometheusRemoteWrite' || !has(self.prometheusRemoteWrite)",
          .message = "is for type PrometheusRemoteWrite"},
         [](const Destination& d) {
           return d.type == Type::kPrometheusRemoteWrite || !d.prometheus_remote_write.has_value();
         });
  f.rule(c,
         {.field = "headers",
          .cel = "!(self.type in ['ClickHouse', 'S3']) || !has(self.headers) || "
                 "size(self.headers) == 0",
          .message = "are not sent to ClickHouse and S3: use clickhouse.username or "
                     "s3.credentialsSecretKeyRef"},
         [](const Destination& d) {
           return (d.type != Type::kClickHouse && d.type != Type::kS3) || d.headers.empty();
         });
  f.rule(c,
         {.field = "compression",
          .cel = "(self.type != 'ClickHouse' || self.compression != 'Gzip') && "
                 "(!(self.type in ['S3', 'PrometheusRemoteWrite']) || "
                 "self.compression == 'Default')",
          .message = "does not exist for this type: ClickHouse takes None and Zstd, S3 and "
                     "PrometheusRemoteWrite have their own"},
         [](const Destination& d) {
           using Compression = Destination::Compression;
           return (d.type != Type::kClickHouse || d.compression != Compression::kGzip) &&
                  (!has_own_compression(d) || d.compression == Compression::kDefault);
         });
}

}  // namespace spanway::api
