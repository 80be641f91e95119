#include "services/lib/kafka/error_map.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <string>

namespace spanway::kafka {
namespace {

struct Row {
  rd_kafka_resp_err_t code;
  Code status;
  Refusal refusal;
  const char* reason;
};

constexpr const char* kUnreachable = "kafka_unreachable";
constexpr const char* kTimedOut = "kafka_timed_out";
constexpr const char* kQueueFull = "kafka_queue_full";
constexpr const char* kNotEnoughReplicas = "kafka_not_enough_replicas";
constexpr const char* kBrokerBusy = "kafka_broker_busy";
constexpr const char* kRebuilt = "kafka_producer_rebuilt";
constexpr const char* kTooLarge = "kafka_record_too_large";
constexpr const char* kInvalidRecord = "kafka_invalid_record";
constexpr const char* kUnknownTopic = "kafka_unknown_topic";
constexpr const char* kNotAuthorised = "kafka_not_authorised";
constexpr const char* kNotAuthenticated = "kafka_not_authenticated";
constexpr const char* kMisconfigured = "kafka_misconfigured";
constexpr const char* kFenced = "kafka_fenced";
constexpr const char* kOther = "kafka_other";

constexpr std::array<const char*, 14> kReasons = {
    kUnreachable,  kTimedOut,      kQueueFull,        kNotEnoughReplicas,
    kBrokerBusy,   kRebuilt,       kTooLarge,         kInvalidRecord,
    kUnknownTopic, kNotAuthorised, kNotAuthenticated, kMisconfigured,
    kFenced,       kOther};

constexpr auto kTransient = Refusal::kTransient;
constexpr auto kData = Refusal::kData;
constexpr auto kConfiguration = Refusal::kConfiguration;

constexpr Row kRows[] = {
    {RD_KAFKA_RESP_ERR__TRANSPORT, Code::kUnavailable, kTransient, kUnreachable},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, Code::kUnavailable, kTransient, kUnreachable},
    {RD_KAFKA_RESP_ERR__RESOLVE, Code::kUnavailable, kTransient, kUnreachable},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, Code::kUnavailable, kTransient, kUnreachable},
    {RD_KAFKA_RESP_ERR__DESTROY_BROKER, Code::kUnavailable, kTransient, kUnreachable},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, Code::kUnavailable, kTransient, kUnreachable},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, Code::kUnavailable, kTransient, kUnreachable},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, Code::kUnavailable, kTransient, kTimedOut},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, Code::kUnavailable, kTransient, kTimedOut},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, Code::kUnavailable, kTransient, kTimedOut},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, Code::kUnavailable, kTransient, kTimedOut},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, Code::kUnavailable, kTransient, kQueueFull},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, Code::kUnavailable, kTransient, kNotEnoughReplicas},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, Code::kUnavailable, kTransient,
     kNotEnoughReplicas},
    {RD_KAFKA_RESP_ERR__ISR_INSUFF, Code::kUnavailable, kTransient, kNotEnoughReplicas},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR__STATE, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR__RETRY, Code::kUnavailable, kTransient, kBrokerBusy},
    // CORRUPT_MESSAGE: damaged on its way; the same bytes pass the next time.
    {RD_KAFKA_RESP_ERR_INVALID_MSG, Code::kUnavailable, kTransient, kBrokerBusy},
    {RD_KAFKA_RESP_ERR__FATAL, Code::kUnavailable, kTransient, kRebuilt},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, Code::kUnavailable, kTransient, kRebuilt},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, Code::kUnavailable, kTransient, kRebuilt},
    {RD_KAFKA_RESP_ERR__DESTROY, Code::kUnavailable, kTransient, kRebuilt},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, Code::kUnavailable, kTransient, kRebuilt},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, Code::kUnavailable, kTransient, kRebuilt},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, Code::kUnavailable, kTransient, kRebuilt},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Code::kInvalidArgument, kData, kTooLarge},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, Code::kInvalidArgument, kData, kTooLarge},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, Code::kInvalidArgument, kData, kTooLarge},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, Code::kInvalidArgument, kData, kInvalidRecord},
    // The time of a record is this host's: the clock is wrong, or the topic's limits are.
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, Code::kFailedPrecondition, kConfiguration,
     kMisconfigured},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, Code::kNotFound, kConfiguration, kUnknownTopic},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, Code::kNotFound, kConfiguration, kUnknownTopic},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID, Code::kNotFound, kConfiguration, kUnknownTopic},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, Code::kNotFound, kConfiguration, kUnknownTopic},
    // Partitions vanish only when a topic is recreated with fewer of them; the count is refreshed.
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, Code::kUnavailable, kTransient, kUnknownTopic},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, Code::kPermissionDenied, kConfiguration,
     kNotAuthorised},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, Code::kPermissionDenied, kConfiguration,
     kNotAuthorised},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, Code::kPermissionDenied, kConfiguration,
     kNotAuthorised},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, Code::kPermissionDenied,
     kConfiguration, kNotAuthorised},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, Code::kUnauthenticated, kConfiguration, kNotAuthenticated},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, Code::kUnauthenticated, kConfiguration,
     kNotAuthenticated},
    {RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, Code::kUnauthenticated, kConfiguration,
     kNotAuthenticated},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, Code::kUnauthenticated, kConfiguration,
     kNotAuthenticated},
    {RD_KAFKA_RESP_ERR__SSL, Code::kUnauthenticated, kConfiguration, kNotAuthenticated},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, Code::kFailedPrecondition, kConfiguration, kMisconfigured},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, Code::kFailedPrecondition, kConfiguration, kMisconfigured},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, Code::kFailedPrecondition, kConfiguration,
     kMisconfigured},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, Code::kFailedPrecondition, kConfiguration,
     kMisconfigured},
    {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, Code::kFailedPrecondition, kConfiguration,
     kMisconfigured},
    {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, Code::kFailedPrecondition, kConfiguration,
     kMisconfigured},
    {RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, Code::kFailedPrecondition, kConfiguration, kMisconfigured},
    {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, Code::kFailedPrecondition, kConfiguration,
     kMisconfigured},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, Code::kFailedPrecondition, kConfiguration,
     kMisconfigured},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, Code::kFailedPrecondition, kConfiguration,
     kMisconfigured},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, Code::kFailedPrecondition, kConfiguration, kMisconfigured},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, Code::kAborted, kConfiguration, kFenced},
    {RD_KAFKA_RESP_ERR__FENCED, Code::kAborted, kConfiguration, kFenced},
};

}  // namespace

Error error_from_code(int code, std::string_view what) {
  const auto native = static_cast<rd_kafka_resp_err_t>(code);
  std::string message(what);
  message += ": ";
  message += rd_kafka_err2str(native);
  if (native == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP) {
    message +=
        "; the clock of this host and the broker's differ by more than the topic allows: "
        "synchronise them, or set message.timestamp.type=LogAppendTime";
  }
  for (const Row& row : kRows) {
    if (row.code != native) continue;
    Error error{row.status, row.refusal, std::move(message), std::nullopt, row.reason};
    if (row.refusal == kTransient) error.retry_after = std::chrono::seconds(1);
    return error;
  }
  return Error{Code::kInternal, Refusal::kUnknown, std::move(message), std::nullopt, kOther};
}

std::span<const char* const> error_reasons() noexcept { return kReasons; }

}  // namespace spanway::kafka
