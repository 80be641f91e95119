#include "services/lib/kafka/admin.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/topic_promises.h"

namespace spanway::kafka {
namespace {

constexpr int kTryMs = 3000;
constexpr int kPauseMs = 300;
constexpr int kRequestMs = 15000;
constexpr int kSettingsTriesMax = 5;

struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const noexcept { rd_kafka_event_destroy(event); }
};
using Event = std::unique_ptr<rd_kafka_event_t, EventDeleter>;

struct Existing {
  std::int32_t partitions = 0;
  std::int32_t replication_factor = 0;
};

class Admin final : private native::Callbacks {
 public:
  Admin(Deadline deadline, const Clock& clock, telemetry::Telemetry telemetry)
      : Callbacks(telemetry.log), deadline_(deadline), clock_(clock) {}

  Status open(const ClientConfig& client) {
    native::Conf conf;
    native::apply_client(conf, client, *this);
    conf.set("allow.auto.create.topics", "false");
    native::apply_raw(conf, client, native::Role::kAdmin);
    SPANWAY_ASSIGN(handle_, native::create_handle(conf, native::Role::kAdmin));
    queue_.reset(rd_kafka_queue_new(handle_.get()));
    return ok_status();
  }
  Result<std::map<std::string, Existing>> list();
  void pause() { rd_kafka_poll(handle_.get(), kPauseMs); }
  void create(const TopicSpec& spec, TopicReport& report);
  void grow(const TopicSpec& spec, TopicReport& report);
  void compare(const TopicSpec& spec, TopicReport& report);
  Result<std::map<std::string, std::string>> ask_for_settings(const std::string& topic);

 private:
  // With a few tries: right after a topic was made not every broker knows it.
  Result<std::map<std::string, std::string>> read_settings(const std::string& topic);
  void on_error(int, const std::string& text, bool) noexcept override { last_error_ = text; }
  // Null once the deadline has passed.
  Event wait(rd_kafka_event_type_t type);
  void fail(TopicReport& report, int code, const std::string& what, const char* detail);
  template <typename Result, typename Topics>
  void read_topic_result(const Result* result, Topics topics, TopicReport& report,
                         TopicReport::Action action, const std::string& what);
  int remaining_ms() const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_.remaining(clock_.now()));
    return static_cast<int>(std::min<std::int64_t>(left.count(), kRequestMs));
  }
  std::unique_ptr<rd_kafka_AdminOptions_t, void (*)(rd_kafka_AdminOptions_t*)> options(
      rd_kafka_admin_op_t operation) {
    char text[256];
    std::unique_ptr<rd_kafka_AdminOptions_t, void (*)(rd_kafka_AdminOptions_t*)> made(
        rd_kafka_AdminOptions_new(handle_.get(), operation), rd_kafka_AdminOptions_destroy);
    rd_kafka_AdminOptions_set_request_timeout(made.get(), std::max(1, remaining_ms()), text,
                                              sizeof(text));
    return made;
  }

  const Deadline deadline_;
  const Clock& clock_;
  native::Handle handle_;
  native::Queue queue_;
  std::string last_error_;
};

// All topics, because asking for one by name may create it.
Result<std::map<std::string, Existing>> Admin::list() {
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  while (!deadline_.passed(clock_.now())) {
    const rd_kafka_metadata_t* metadata = nullptr;
    error = rd_kafka_metadata(handle_.get(), 1, nullptr, &metadata,
                              std::min(kTryMs, std::max(1, remaining_ms())));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      std::map<std::string, Existing> found;
      for (int i = 0; i < metadata->topic_cnt; ++i) {
        const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
        if (topic.partition_cnt == 0) continue;
        found[topic.topic] = {topic.partition_cnt, topic.partitions[0].replica_cnt};
      }
      rd_kafka_metadata_destroy(metadata);
      return found;
    }
    pause();  // Serves the error callback meanwhile.
  }
  return error_from_code(error, last_error_.empty()
                                    ? "asking the brokers for topics"
                                    : "asking the brokers for topics: " + last_error_);
}

Event Admin::wait(rd_kafka_event_type_t type) {
  while (true) {
    Event event(rd_kafka_queue_poll(queue_.get(), kRequestMs + kTryMs));
    if (!event || rd_kafka_event_type(event.get()) == type) return event;
  }
}

void Admin::fail(TopicReport& report, int code, const std::string& what, const char* detail) {
  report.action = TopicReport::Action::kFailed;
  report.error = error_from_code(code, what).message;
  if (detail != nullptr) report.error += std::string(" (") + detail + ")";
}

template <typename Result, typename Topics>
void Admin::read_topic_result(const Result* result, Topics topics, TopicReport& report,
                              TopicReport::Action action, const std::string& what) {
  std::size_t count = 0;
  const rd_kafka_topic_result_t** found = topics(result, &count);
  const rd_kafka_resp_err_t error =
      count == 1 ? rd_kafka_topic_result_error(found[0]) : RD_KAFKA_RESP_ERR__FAIL;
  // Somebody else was faster: as good as done.
  if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    report.action = action;
  } else {
    fail(report, error, what, count == 1 ? rd_kafka_topic_result_error_string(found[0]) : nullptr);
  }
}

void Admin::create(const TopicSpec& spec, TopicReport& report) {
  const std::string what = "creating topic " + spec.name;
  char text[512] = {};
  std::unique_ptr<rd_kafka_NewTopic_t, void (*)(rd_kafka_NewTopic_t*)> topic(
      rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions, spec.replication_factor, text,
                            sizeof(text)),
      rd_kafka_NewTopic_destroy);
  if (!topic) return fail(report, RD_KAFKA_RESP_ERR__INVALID_ARG, what, text);
  for (const auto& [name, value] : spec.settings) {
    rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str());
  }
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  const auto settings = options(RD_KAFKA_ADMIN_OP_CREATETOPICS);
  rd_kafka_CreateTopics(handle_.get(), topics, 1, settings.get(), queue_.get());
  const Event event = wait(RD_KAFKA_EVENT_CREATETOPICS_RESULT);
  if (!event) return fail(report, RD_KAFKA_RESP_ERR__TIMED_OUT, what, nullptr);
  if (const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get())) {
    return fail(report, error, what, rd_kafka_event_error_string(event.get()));
  }
  read_topic_result(rd_kafka_event_CreateTopics_result(event.get()),
                    rd_kafka_CreateTopics_result_topics, report, TopicReport::Action::kCreated,
                    what);
}

void Admin::grow(const TopicSpec& spec, TopicReport& report) {
  const std::string what = "adding partitions to topic " + spec.name;
  char text[512] = {};
  std::unique_ptr<rd_kafka_NewPartitions_t, void (*)(rd_kafka_NewPartitions_t*)> more(
      rd_kafka_NewPartitions_new(spec.name.c_str(), static_cast<std::size_t>(spec.partitions), text,
                                 sizeof(text)),
      rd_kafka_NewPartitions_destroy);
  if (!more) return fail(report, RD_KAFKA_RESP_ERR__INVALID_ARG, what, text);
  rd_kafka_NewPartitions_t* list[] = {more.get()};
  const auto settings = options(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
  rd_kafka_CreatePartitions(handle_.get(), list, 1, settings.get(), queue_.get());
  const Event event = wait(RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT);
  if (!event) return fail(report, RD_KAFKA_RESP_ERR__TIMED_OUT, what, nullptr);
  if (const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get())) {
    return fail(report, error, what, rd_kafka_event_error_string(event.get()));
  }
  read_topic_result(rd_kafka_event_CreatePartitions_result(event.get()),
                    rd_kafka_CreatePartitions_result_topics, report, TopicReport::Action::kGrown,
                    what);
}

// One request; the topic must exist.
Result<std::map<std::string, std::string>> Admin::ask_for_settings(const std::string& topic) {
  const std::string what = "reading the settings of topic " + topic;
  const std::unique_ptr<rd_kafka_ConfigResource_t, void (*)(rd_kafka_ConfigResource_t*)> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()),
      rd_kafka_ConfigResource_destroy);
  rd_kafka_ConfigResource_t* list[] = {resource.get()};
  const auto settings = options(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  rd_kafka_DescribeConfigs(handle_.get(), list, 1, settings.get(), queue_.get());
  const Event event = wait(RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT);
  if (!event) return error_from_code(RD_KAFKA_RESP_ERR__TIMED_OUT, what);
  if (const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get())) {
    return error_from_code(error, what);
  }
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** found = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  if (count != 1) return error_from_code(RD_KAFKA_RESP_ERR__FAIL, what);
  if (const rd_kafka_resp_err_t error = rd_kafka_ConfigResource_error(found[0])) {
    return error_from_code(error, what);
  }
  std::map<std::string, std::string> values;
  std::size_t entry_count = 0;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(found[0], &entry_count);
  for (std::size_t i = 0; i < entry_count; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);  // Null = kept secret.
    if (value != nullptr) values[rd_kafka_ConfigEntry_name(entries[i])] = value;
  }
  return values;
}

Result<std::map<std::string, std::string>> Admin::read_settings(const std::string& topic) {
  for (int tries = 1;; ++tries) {
    auto found = ask_for_settings(topic);
    if (found.ok() || tries == kSettingsTriesMax || deadline_.passed(clock_.now())) return found;
    const Error& error = found.error();
    // Not found: a broker that has not heard of a new topic yet.
    if (error.refusal != Refusal::kTransient && error.code != Code::kNotFound) return found;
    pause();
  }
}

void Admin::compare(const TopicSpec& spec, TopicReport& report) {
  compare_numbers(spec, report);
  const auto settings = read_settings(spec.name);
  if (settings.ok()) {
    compare_settings(spec, *settings, report);
  } else if (settings.error().code == Code::kPermissionDenied) {
    // Whoever may produce and consume need not be able to read settings: that is no fault of the
    // topic's.
    report.unread = settings.error().message + "; to compare them takes DescribeConfigs on it";
  } else {
    report.weaker.push_back("not known: " + settings.error().message);
  }
}

}  // namespace

std::string_view to_string(TopicReport::Action action) noexcept {
  constexpr std::array<std::string_view, 4> names = {"unchanged", "created", "grown", "failed"};
  return names[static_cast<std::size_t>(action)];
}

Result<std::vector<TopicReport>> apply_topics(const ClientConfig& client,
                                              const std::vector<TopicSpec>& specs,
                                              TopicChanges changes, Deadline deadline,
                                              const Clock& clock, telemetry::Telemetry telemetry) {
  Admin admin(deadline, clock, telemetry);
  SPANWAY_TRY(admin.open(client));
  SPANWAY_ASSIGN(const auto before, admin.list());
  std::vector<TopicReport> reports;
  bool changed = false;
  for (const TopicSpec& spec : specs) {
    TopicReport& report = reports.emplace_back();
    report.name = spec.name;
    const auto found = before.find(spec.name);
    if (found == before.end() && changes == TopicChanges::kNone) {
      report.action = TopicReport::Action::kFailed;
      report.error = "topic " + spec.name + " does not exist";
    } else if (found == before.end()) {
      admin.create(spec, report);
    } else if (found->second.partitions < spec.partitions &&
               changes == TopicChanges::kCreateAndGrow) {
      admin.grow(spec, report);
    }
    changed = changed || report.action != TopicReport::Action::kUnchanged;
  }
  // A broker may need a moment before it tells of what it has made.
  std::map<std::string, Existing> after = before;
  const auto complete = [&] {
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (reports[i].action == TopicReport::Action::kFailed) continue;
      const auto found = after.find(specs[i].name);
      if (found == after.end()) return false;
      const bool made = reports[i].action != TopicReport::Action::kUnchanged;
      if (made && found->second.partitions < specs[i].partitions) return false;
    }
    return true;
  };
  while (changed) {
    SPANWAY_ASSIGN(after, admin.list());
    if (complete() || deadline.passed(clock.now())) break;
    admin.pause();
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto found = after.find(specs[i].name);
    if (found != after.end()) {
      reports[i].partitions = found->second.partitions;
      reports[i].replication_factor = found->second.replication_factor;
    }
    if (reports[i].action != TopicReport::Action::kFailed) admin.compare(specs[i], reports[i]);
  }
  return reports;
}

Result<std::map<std::string, std::string>> read_topic_settings(const ClientConfig& client,
                                                               const std::string& topic,
                                                               Deadline deadline,
                                                               const Clock& clock,
                                                               telemetry::Telemetry telemetry) {
  Admin admin(deadline, clock, telemetry);
  SPANWAY_TRY(admin.open(client));
  return admin.ask_for_settings(topic);
}

}  // namespace spanway::kafka
