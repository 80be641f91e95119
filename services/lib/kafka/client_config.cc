#include "services/lib/kafka/client_config.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "services/lib/config/endpoint.h"

namespace spanway::kafka {
namespace {

// Settings that are safe to pass through: they change performance and timeouts, not delivery
// guarantees. Settings that affect loss, order or credentials have a key of their own or are fixed.
constexpr std::array<std::string_view, 28> kRawSettings = {
    "api.version.request.timeout.ms",
    "batch.num.messages",
    "batch.size",
    "broker.address.family",
    "broker.address.ttl",
    "client.rack",
    "compression.level",
    "connections.max.idle.ms",
    "debug",
    "fetch.error.backoff.ms",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "max.poll.interval.ms",
    "metadata.recovery.strategy",
    "queue.buffering.max.messages",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "socket.connection.setup.timeout.ms",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.cipher.suites",
    "ssl.curves.list",
};

// As the broker checks it: 249 characters of [a-zA-Z0-9._-], not "." or "..".
bool is_topic(std::string_view name, std::size_t suffix_size) {
  if (name.empty() || name == "." || name == ".." || name.size() + suffix_size > 249) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

void check_topics(const ClientConfig& c, config::Problems& problems) {
  std::set<std::string_view> used;
  const std::array<std::pair<const char*, std::string_view>, 3> topics = {
      {{"kafka.topics.traces", c.topics.traces},
       {"kafka.topics.metrics", c.topics.metrics},
       {"kafka.topics.logs", c.topics.logs}}};
  for (const auto& [path, name] : topics) {
    if (!is_topic(name, c.dead_letter_suffix.size())) {
      problems.add(
          path,
          "'" + std::string(name) +
              "' is not a valid topic name: use letters, digits, '.', '_' and '-', at most 249 "
              "with the dead-letter suffix");
    }
    if (!used.insert(name).second) {
      problems.add(path, "the same topic as another signal; every signal needs its own");
    }
  }
  for (const auto& [path, name] : topics) {
    for (const auto& [other_path, other] : topics) {
      if (other.empty() || name != std::string(other) + c.dead_letter_suffix) continue;
      problems.add(path, "'" + std::string(name) + "' is the dead-letter topic of " + other_path +
                             "; choose another name");
    }
  }
  if (c.dead_letter_suffix.empty() || !is_topic("t" + c.dead_letter_suffix, 0)) {
    problems.add("kafka.dead_letter_suffix",
                 "must not be empty and must consist of letters, digits, '.', '_' and '-'");
  }
}

void check_access(const ClientConfig& c, config::Problems& problems) {
  if (c.tls.certificate_file.empty() != c.tls.key_file.empty()) {
    problems.add("kafka.tls", "certificate_file and key_file belong together; set both or none");
  }
  const bool has_tls_setting =
      !c.tls.ca_file.empty() || !c.tls.certificate_file.empty() || c.tls.insecure_skip_verify;
  if (!c.tls.enabled && has_tls_setting) {
    problems.add("kafka.tls.enabled", "is false although other TLS settings are given");
  }
  const bool has_sasl = c.sasl.mechanism != SaslConfig::Mechanism::kNone;
  const bool has_password = !c.sasl.password.empty() || !c.sasl.password_file.empty();
  if (has_sasl && (c.sasl.username.empty() || !has_password)) {
    problems.add("kafka.sasl", "this mechanism needs username and password or password_file");
  }
  if (!c.sasl.password.empty() && !c.sasl.password_file.empty()) {
    problems.add("kafka.sasl.password_file", "is given beside password; keep one of them");
  }
  if (!has_sasl && !c.sasl.username.empty()) {
    problems.add("kafka.sasl.mechanism", "is none although a username is given");
  }
}

void describe(config::Binder& b, TlsConfig& c) {
  b.key("enabled", c.enabled, {.doc = "Speak TLS with the brokers."});
  b.key("ca_file", c.ca_file,
        {.doc = "PEM file of the CAs to trust; empty = the system's. Re-read when it changes."});
  b.key("certificate_file", c.certificate_file,
        {.doc = "PEM file of the client certificate. Re-read when it changes."});
  b.key("key_file", c.key_file, {.doc = "PEM file of the client certificate's key."});
  b.key("key_password", c.key_password, {.doc = "Password of key_file."});
  b.key("insecure_skip_verify", c.insecure_skip_verify,
        {.doc = "Do not verify the brokers' certificates. For tests only."});
}

void describe(config::Binder& b, SaslConfig& c) {
  b.key("mechanism", c.mechanism, {"none", "plain", "scram_sha_256", "scram_sha_512"},
        {.doc = "SASL mechanism towards the brokers."});
  b.key("username", c.username, {.doc = "SASL user."});
  b.key(
      "password", c.password,
      {.doc = "SASL password. Either this or password_file; from ${file:path} it is read again as "
              "from password_file.",
       .example = "${env:KAFKA_PASSWORD}",
       .reread = true});
  b.key(
      "password_file", c.password_file,
      {.doc = "File with the SASL password; reloaded every few seconds, so that a new one needs no "
              "restart.",
       .example = "/secrets/password"});
}

void describe(config::Binder& b, TopicNames& c) {
  b.key("traces", c.traces, {.doc = "Topic of traces.", .alias = "KAFKA_TOPIC"});
  b.key("metrics", c.metrics, {.doc = "Topic of metrics."});
  b.key("logs", c.logs, {.doc = "Topic of logs."});
}

}  // namespace

void describe(config::Binder& b, ClientConfig& c) {
  b.key("brokers", c.brokers,
        {.doc = "bootstrap.servers: host:port of some brokers.",
         .alias = "KAFKA_BROKERS",
         .example = "kafka-0:9092,kafka-1:9092"});
  b.key("client_id", c.client_id,
        {.doc = "client.id: names this client in the brokers' logs and quotas."});
  b.section_impl("tls", "TLS towards the brokers.",
                 [&c](config::Binder& inner) { describe(inner, c.tls); });
  b.section_impl("sasl", "Authentication towards the brokers.",
                 [&c](config::Binder& inner) { describe(inner, c.sasl); });
  b.section_impl("topics", "One topic per signal.",
                 [&c](config::Binder& inner) { describe(inner, c.topics); });
  b.key("dead_letter_suffix", c.dead_letter_suffix,
        {.doc = "Suffix of the dead-letter topic of each topic."});
  b.key("librdkafka", c.librdkafka,
        {.doc = "Raw librdkafka settings from an allow-list, for tuning only.",
         .example = "socket.timeout.ms: 20000"});
}

void validate(const ClientConfig& c, config::Problems& problems) {
  if (c.brokers.empty()) problems.add("kafka.brokers", "needs at least one host:port");
  for (const std::string& broker : c.brokers) {
    if (std::string problem = config::broker_problem(broker); !problem.empty()) {
      problems.add("kafka.brokers", std::move(problem));
    }
  }
  check_topics(c, problems);
  check_access(c, problems);
  for (const auto& [name, value] : c.librdkafka) {
    if (std::binary_search(kRawSettings.begin(), kRawSettings.end(), std::string_view(name)))
      continue;
    problems.add("kafka.librdkafka." + name,
                 "is not among the raw settings that may be changed (it could weaken delivery, or "
                 "has a key of its own)");
  }
}

}  // namespace spanway::kafka
