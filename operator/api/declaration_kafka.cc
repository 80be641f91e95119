// The Kafka cluster and the topics.
#include <algorithm>
#include <array>

#include "operator/api/authority.h"
#include "operator/api/declaration_parts.h"

namespace spanway::api {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kYearMs = 366LL * 24 * 60 * kMinuteMs;

bool is_broker_list(std::string_view text) {
  for (;;) {
    const std::size_t comma = text.find(',');
    if (!is_authority(text.substr(0, comma), Port::kRequired)) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

FieldInfo topic_info(const char* doc) {
  return {
      .doc = doc, .pattern = "_?[A-Za-z0-9-][A-Za-z0-9._-]*", .length_max = 200, .immutable = true};
}

void describe_names(Fields& f, Topics& c) {
  f.group("names", {.doc = "The topic of each signal."}, [&c](Fields& inner) {
    inner.field("traces", c.traces, topic_info("Topic of traces."));
    inner.field("metrics", c.metrics, topic_info("Topic of metrics."));
    inner.field("logs", c.logs, topic_info("Topic of logs."));
  });
}

void rule_on_topics(Fields& f, Topics& c) {
  f.rule(c,
         {.field = "names",
          .cel = "self.names.traces != self.names.metrics && self.names.traces != self.names.logs "
                 "&& self.names.metrics != self.names.logs",
          .message = "must differ: every signal needs its own topic"},
         [](const Topics& t) {
           return t.traces != t.metrics && t.traces != t.logs && t.metrics != t.logs;
         });
  f.rule(
      c,
      {.field = "deadLetterSuffix",
       .cel = "[self.names.traces, self.names.metrics, self.names.logs].all(n, !(n + "
              "self.deadLetterSuffix in [self.names.traces, self.names.metrics, "
              "self.names.logs]))",
       .message = "gives the name of another signal's topic: dead letters would be read as data"},
      [](const Topics& t) {
        const std::array names = {t.traces, t.metrics, t.logs};
        return std::none_of(names.begin(), names.end(), [&](const std::string& name) {
          return std::find(names.begin(), names.end(), name + t.dead_letter_suffix) != names.end();
        });
      });
  f.rule(c,
         {.field = "prefix",
          .cel = "!has(self.prefix) || [self.names.traces, self.names.metrics, "
                 "self.names.logs].all(n, size(self.prefix) + size(n) + "
                 "size(self.deadLetterSuffix) <= 249)",
          .message = "gives a name that is longer than the 249 characters Kafka allows"},
         [](const Topics& t) {
           const std::array names = {t.traces, t.metrics, t.logs};
           return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
             return t.prefix.size() + name.size() + t.dead_letter_suffix.size() <= 249;
           });
         });
  // No CEL rule: a Pipeline that was refused because its topics are taken may still set a prefix.
  // The operator compares with the last good spec.
  f.transition(
      c, {.field = "prefix", .cel = "", .message = kImmutableMessage},
      [](const Topics& before, const Topics& after) { return after.prefix == before.prefix; });
  f.rule(c,
         {.field = "minInsyncReplicas",
          .cel = "!has(self.minInsyncReplicas) || !has(self.replicationFactor) || "
                 "self.minInsyncReplicas <= self.replicationFactor",
          .message = "must not be above replicationFactor: no record could be written"},
         [](const Topics& t) {
           return t.min_insync_replicas == 0 || t.replication_factor == 0 ||
                  t.min_insync_replicas <= t.replication_factor;
         });
  f.transition(c,
               {.field = "partitions",
                .cel = "self.partitions >= oldSelf.partitions",
                .message = "can only grow: Kafka cannot remove partitions"},
               [](const Topics& before, const Topics& after) {
                 return after.partitions >= before.partitions;
               });
}

}  // namespace

// Not in the unnamed namespace: Fields finds them next to their types.
static void describe(Fields& f, KafkaTls& c) {
  f.field("enabled", c.enabled, {.doc = "Speak TLS to the brokers."});
  describe_secret_name(f, "caSecretName", c.ca_secret_name, Presence::kOptional,
                       "Secret with the brokers' CA. Unset = the system's "
                       "authorities.");
  f.field("caKey", c.ca_key, {.doc = "Its key.", .pattern = kSecretKeyPattern, .length_max = 253});
  describe_secret_name(f, "clientCertificateSecretName", c.client_certificate_secret_name,
                       Presence::kOptional, "Secret with tls.crt and tls.key, for mutual TLS.");
  f.rule(c,
         {.field = "caSecretName",
          .cel = "self.enabled || !has(self.caSecretName)",
          .message = "needs enabled: true"},
         [](const KafkaTls& t) { return t.enabled || t.ca_secret_name.empty(); });
  f.rule(c,
         {.field = "clientCertificateSecretName",
          .cel = "self.enabled || !has(self.clientCertificateSecretName)",
          .message = "needs enabled: true"},
         [](const KafkaTls& t) { return t.enabled || t.client_certificate_secret_name.empty(); });
}

static void describe(Fields& f, KafkaAuthentication& c) {
  using Type = KafkaAuthentication::Type;
  f.field("type", c.type, {"None", "Plain", "ScramSha256", "ScramSha512"},
          {.doc = "The SASL mechanism."});
  f.field("username", c.username,
          {.doc = "The user.", .pattern = "[^\\x00-\\x1f\\x7f]+", .length_max = 256});
  describe_optional_key(f, "passwordSecretKeyRef", c.password, "Where its password lies.");
  f.rule(c,
         {.field = "username",
          .cel = "self.type == 'None' || has(self.username)",
          .message = "is needed with this type"},
         [](const KafkaAuthentication& a) { return a.type == Type::kNone || !a.username.empty(); });
  f.rule(c,
         {.field = "passwordSecretKeyRef",
          .cel = "self.type == 'None' || has(self.passwordSecretKeyRef)",
          .message = "is needed with this type"},
         [](const KafkaAuthentication& a) {
           return a.type == Type::kNone || !a.password.name.empty();
         });
  f.rule(c,
         {.field = "type",
          .cel = "self.type != 'None' || (!has(self.username) && !has(self.passwordSecretKeyRef))",
          .message = "is None although username or passwordSecretKeyRef is given"},
         [](const KafkaAuthentication& a) {
           return a.type != Type::kNone || (a.username.empty() && a.password.name.empty());
         });
}

static void describe(Fields& f, Topics& c) {
  f.field(
      "management", c.management, {"None", "Verify", "CreateOnly", "CreateAndUpdate"},
      {.doc = "None: the topics are managed elsewhere and not checked. Verify: checked and "
              "reported. CreateOnly: created when missing. CreateAndUpdate: partitions are also "
              "added and weaker settings raised. Topics never shrink and are never deleted, and a "
              "longer retention stays."});
  f.field("prefix", c.prefix,
          {.doc = "Prefix of each topic's name: separates several Pipelines on one Kafka. "
                  "Cannot be changed once the Pipeline has run.",
           .pattern = "_?[A-Za-z0-9-][A-Za-z0-9._-]*",
           .length_max = 100});
  describe_names(f, c);
  f.field(
      "shared", c.shared,
      {.doc = "Share these topics with other Pipelines that also set it: each delivers all of the "
              "data, and the longest retention applies. Without it a Pipeline that names a topic "
              "of an earlier one on the same brokers is refused."});
  f.field(
      "deadLetterSuffix", c.dead_letter_suffix,
      {.doc =
           "Suffix of the dead-letter topics, for records that a destination refuses permanently.",
       .pattern = "[A-Za-z0-9._-]+",
       .length_max = 32,
       .immutable = true});
  f.field(
      "partitions", c.partitions,
      {.doc = "Partitions of each signal's topic, the upper bound of active consumers. Can only "
              "grow.",
       .min = 1,
       .max = 10'000});
  f.field("replicationFactor", c.replication_factor,
          {.doc = "Copies of new topics; 3 survives the loss of a broker.",
           .min = 1,
           .max = 32,
           .absent = "the broker's default"});
  f.field("minInsyncReplicas", c.min_insync_replicas,
          {.doc = "In-sync replicas that must have a record before it is acknowledged.",
           .min = 1,
           .max = 32,
           .absent = "the broker's default"});
  f.field("retention", c.retention,
          {.doc = "How long records are kept: the longest outage of a destination that loses "
                  "nothing.",
           .min = kMinuteMs,
           .max = 10 * kYearMs});
  f.field("deadLetterRetention", c.dead_letter_retention,
          {.doc = "How long dead letters are kept.", .min = kMinuteMs, .max = 10 * kYearMs});
  rule_on_topics(f, c);
}

void describe(Fields& f, Kafka& c) {
  f.field("bootstrapServers", c.bootstrap_servers,
          {.doc = "Bootstrap brokers: host:port, comma-separated.",
           .example = "kafka-0:9092,kafka-1:9092",
           .pattern = "[!-~]+",
           .length_max = 1024,
           .required = true});
  f.object("tls", c.tls, {.doc = "TLS to the brokers."});
  f.object("authentication", c.authentication, {.doc = "How clients authenticate to the brokers."});
  f.object("topics", c.topics, {.doc = "The topics that buffer the data."});
  f.rule(
      c,
      {.field = "bootstrapServers",
       .cel = "self.bootstrapServers.matches('^" SPANWAY_HOST_PATTERN ":" SPANWAY_PORT_PATTERN
              "(," SPANWAY_HOST_PATTERN ":" SPANWAY_PORT_PATTERN ")*$')",
       .message = "must be host:port, comma-separated without spaces; each port from 1 to 65535"},
      [](const Kafka& k) { return is_broker_list(k.bootstrap_servers); });
}

}  // namespace spanway::api
