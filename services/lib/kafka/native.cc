#include "services/lib/kafka/native.h"

#include <librdkafka/rdkafka.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "services/lib/kafka/sasl_password.h"
#include "services/lib/kafka/tls_files.h"

namespace spanway::kafka::native {
namespace {

constexpr const char* kInterceptor = "spanway";

void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  const auto* callbacks = static_cast<const Callbacks*>(rd_kafka_opaque(handle));
  if (callbacks == nullptr) return;
  const telemetry::LogFields fields = {{"facility", facility}, {"text", text}};
  // librdkafka repeats itself for as long as a broker is away.
  if (level <= 4) {
    callbacks->log().limited(telemetry::LogLevel::kWarn, "librdkafka", "librdkafka", fields);
  } else {
    callbacks->log().debug("librdkafka", fields);
  }
}

void on_error(rd_kafka_t* handle, int code, const char* text, void* opaque) {
  auto* callbacks = static_cast<Callbacks*>(opaque);
  if (code != RD_KAFKA_RESP_ERR__FATAL) {
    callbacks->on_error(code, text, false);
    return;
  }
  char detail[512] = {};
  const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(handle, detail, sizeof(detail));
  callbacks->on_error(cause, detail, true);
}

// A thread of librdkafka is woken for every record and every answer of a broker. As a batch thread
// it waits until the running one sleeps (or its time slice ends) and then finds a dozen operations
// instead of one: a quarter less CPU where both share a core. On an idle core it runs at once.
// Where the scheduler forbids it, the thread keeps the default.
rd_kafka_resp_err_t on_thread_start(rd_kafka_t*, rd_kafka_thread_type_t, const char*, void*) {
  const sched_param none{};
  if (::sched_getscheduler(0) == SCHED_OTHER) ::sched_setscheduler(0, SCHED_BATCH, &none);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

// TRY_CONNECT, CONNECT, SSL_HANDSHAKE, AUTH_HANDSHAKE, AUTH_REQ, UP, DOWN.
rd_kafka_resp_err_t on_broker_state(rd_kafka_t* handle, std::int32_t id, const char*,
                                    const char* name, int port, const char* state, void*) {
  const auto* callbacks = static_cast<const Callbacks*>(rd_kafka_opaque(handle));
  if (callbacks == nullptr || !callbacks->log().enabled(telemetry::LogLevel::kDebug)) {
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  callbacks->log().debug("Broker connection changed", {{"client", rd_kafka_name(handle)},
                                                       {"broker", name},
                                                       {"port", port},
                                                       {"broker_id", id},
                                                       {"state", state}});
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_new(rd_kafka_t* handle, const rd_kafka_conf_t*, void*, char*, std::size_t) {
  rd_kafka_interceptor_add_on_broker_state_change(handle, kInterceptor, on_broker_state, nullptr);
  return rd_kafka_interceptor_add_on_thread_start(handle, kInterceptor, on_thread_start, nullptr);
}

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) joined += (joined.empty() ? "" : ",") + part;
  return joined;
}

void apply_tls(Conf& conf, const TlsConfig& tls) {
  conf.note(check_tls_files(tls));
  if (!tls.ca_file.empty()) {
    conf.set("ssl.ca.location", tls.ca_file);
  } else {
    conf.set("ssl.ca.location",
             "probe");  // The system's; the library is linked statically.
  }
  if (!tls.certificate_file.empty()) {
    conf.set("ssl.certificate.location", tls.certificate_file);
    conf.set("ssl.key.location", tls.key_file);
    if (!tls.key_password.empty()) conf.set("ssl.key.password", tls.key_password.reveal());
  }
  if (tls.insecure_skip_verify) conf.set("enable.ssl.certificate.verification", "false");
}

Status apply_sasl(Conf& conf, const SaslConfig& sasl) {
  constexpr std::array<const char*, 4> kNames = {"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
  conf.set("sasl.mechanisms", kNames[static_cast<std::size_t>(sasl.mechanism)]);
  conf.set("sasl.username", sasl.username);
  std::string password;
  SPANWAY_ASSIGN(password, read_password(sasl));
  conf.set("sasl.password", password);
  return ok_status();
}

// A setting of the other role is ignored by librdkafka, with a warning at every start.
bool is_for(std::string_view name, Role role) {
  constexpr std::array<std::string_view, 4> kProducerOnly = {
      "batch.num.messages", "batch.size", "compression.level", "queue.buffering.max.messages"};
  constexpr std::array<std::string_view, 4> kConsumerOnly = {
      "fetch.error.backoff.ms", "fetch.min.bytes", "fetch.wait.max.ms", "max.poll.interval.ms"};
  const auto contains = [name](const auto& list) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  if (contains(kProducerOnly) || name == "request.timeout.ms") return role == Role::kProducer;
  if (contains(kConsumerOnly)) return role == Role::kConsumer;
  return true;
}

}  // namespace

struct HandleFactory {
  static rd_kafka_conf_s* release(Conf& conf) { return std::exchange(conf.conf_, nullptr); }
};

Conf::Conf() : conf_(rd_kafka_conf_new()) {}

Conf::~Conf() {
  if (conf_ != nullptr) rd_kafka_conf_destroy(conf_);
}

void Conf::set(const char* name, const std::string& value, const std::string& key) {
  char text[256] = {};
  if (rd_kafka_conf_set(conf_, name, value.c_str(), text, sizeof(text)) == RD_KAFKA_CONF_OK) return;
  // The text may repeat the value: passwords must not get into it.
  const bool secret = std::string_view(name).find("password") != std::string_view::npos;
  if (status_.ok()) {
    status_ = configuration_error(Code::kFailedPrecondition,
                                  key + ": librdkafka rejects the setting " + name +
                                      (secret ? "" : std::string(": ") + text))
                  .with_reason("kafka_misconfigured");
  }
}

void apply_client(Conf& conf, const ClientConfig& client, Callbacks& callbacks) {
  conf.set("bootstrap.servers", join(client.brokers));
  conf.set("client.id", client.client_id);
  const bool sasl = client.sasl.mechanism != SaslConfig::Mechanism::kNone;
  constexpr std::array<const char*, 4> kProtocols = {"plaintext", "ssl", "sasl_plaintext",
                                                     "sasl_ssl"};
  conf.set("security.protocol", kProtocols[(sasl ? 2u : 0u) + (client.tls.enabled ? 1u : 0u)]);
  if (client.tls.enabled) apply_tls(conf, client.tls);
  if (sasl) conf.note(apply_sasl(conf, client.sasl));
  // Back within seconds after a broker's restart; half-open connections are found in 20 s.
  conf.set("reconnect.backoff.ms", 100);
  conf.set("reconnect.backoff.max.ms", 2000);
  conf.set("socket.keepalive.enable", "true");
  conf.set("socket.timeout.ms", 20000);
  conf.set("log.connection.close", "false");
  conf.set("statistics.interval.ms", 0);
  conf.set("enable.metrics.push", "false");
  conf.set("topic.metadata.refresh.interval.ms", 10000);
  conf.set("metadata.max.age.ms", 30000);
  rd_kafka_conf_set_opaque(conf.raw(), &callbacks);
  rd_kafka_conf_set_log_cb(conf.raw(), on_log);
  rd_kafka_conf_set_error_cb(conf.raw(), on_error);
  rd_kafka_conf_interceptor_add_on_new(conf.raw(), kInterceptor, on_new, nullptr);
}

void apply_raw(Conf& conf, const ClientConfig& client, Role role) {
  for (const auto& [name, value] : client.librdkafka) {
    if (is_for(name, role)) conf.set(name.c_str(), value, "kafka.librdkafka." + name);
  }
}

void HandleDeleter::operator()(rd_kafka_s* handle) const noexcept { rd_kafka_destroy(handle); }

Result<Handle> create_handle(Conf& conf, const ClientConfig& client, Role role) {
  SPANWAY_TRY(conf.status());
  char text[512] = {};
  rd_kafka_conf_s* native = HandleFactory::release(conf);
  rd_kafka_t* handle = rd_kafka_new(role == Role::kConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER,
                                    native, text, sizeof(text));
  if (handle == nullptr) {
    rd_kafka_conf_destroy(native);
    return start_error(client.tls, text);
  }
  return Handle(handle);
}

void QueueDeleter::operator()(rd_kafka_queue_s* queue) const noexcept {
  rd_kafka_queue_destroy(queue);
}

void PartitionListDeleter::operator()(rd_kafka_topic_partition_list_s* list) const noexcept {
  rd_kafka_topic_partition_list_destroy(list);
}

PartitionList make_partition_list(int size) {
  return PartitionList(rd_kafka_topic_partition_list_new(size));
}

}  // namespace spanway::kafka::native
