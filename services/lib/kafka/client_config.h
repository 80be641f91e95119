// Configuration of every Kafka client: addresses, TLS, authentication, topic names.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/secret.h"
#include "services/lib/config/binder.h"

namespace spanway::kafka {

struct TlsConfig {
  bool enabled = false;
  std::string ca_file, certificate_file, key_file;
  Secret key_password;
  bool insecure_skip_verify = false;
};
struct SaslConfig {
  enum class Mechanism { kNone, kPlain, kScramSha256, kScramSha512 } mechanism = Mechanism::kNone;
  std::string username;
  Secret password;
  std::string password_file;  // Instead of `password`; reloaded when it changes.
};
struct TopicNames {
  std::string traces = "otel.traces", metrics = "otel.metrics", logs = "otel.logs";
};
struct ClientConfig {
  std::vector<std::string> brokers = {"127.0.0.1:9092"};
  std::string client_id = "spanway";
  TlsConfig tls;
  SaslConfig sasl;
  TopicNames topics;
  std::string dead_letter_suffix = ".dlq";
  // Raw librdkafka settings from an allow-list; others are refused by the check.
  std::map<std::string, std::string> librdkafka;
};
void describe(config::Binder& b, ClientConfig& c);
void validate(const ClientConfig& c, config::Problems& problems);

}  // namespace spanway::kafka
