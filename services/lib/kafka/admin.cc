#include "services/lib/kafka/admin.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/kafka/client_credentials.h"
#include "services/lib/kafka/error_map.h"
#include "services/lib/kafka/native.h"
#include "services/lib/kafka/queries.h"
#include "services/lib/kafka/topic_descriptions.h"
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

using Settings = std::map<std::string, std::string>;

void fail(TopicReport& report, const Error& error) {
  report.action = TopicReport::Action::kFailed;
  report.error = error.message;
}

Error cancelled() {
  return unavailable("the process is stopping; topics are not described any more")
      .with_reason("stopping");
}

}  // namespace

// The connection, and one request at a time over it.
class TopicAdmin::Session final : private native::Callbacks {
 public:
  Session(const ClientConfig& client, const Clock& clock, telemetry::Telemetry telemetry)
      : Callbacks(telemetry.log), client_(client), clock_(clock) {}

  // Before any of the others.
  Status open(Deadline deadline);
  void close() noexcept {
    MutexLock lock(mutex_);
    queue_.reset();
    handle_.reset();
    credentials_.reset();
  }
  void cancel() noexcept {
    MutexLock lock(mutex_);
    cancelled_ = true;
    if (queue_) rd_kafka_queue_yield(queue_.get());
  }

  // With retries until the deadline.
  Result<Topics> describe(const std::vector<TopicSpec>& specs);
  void create(const TopicSpec& spec, TopicReport& report);
  void grow(const TopicSpec& spec, TopicReport& report);
  // Blocks until the brokers describe the topics that `reports` list as created or grown.
  Result<Topics> await_changes(const std::vector<TopicSpec>& specs,
                               const std::vector<TopicReport>& reports);
  // Changes the settings that are weaker than configured.
  void strengthen(const TopicSpec& spec, std::int32_t replication_factor, TopicReport& report);
  void compare(const TopicSpec& spec, TopicReport& report);
  Result<Settings> read_settings(const std::string& topic);

 private:
  using Options = std::unique_ptr<rd_kafka_AdminOptions_t, void (*)(rd_kafka_AdminOptions_t*)>;

  void on_error(int, const std::string& text, bool) noexcept override { last_error_ = text; }
  bool over() const { return cancelled_ || deadline_.passed(clock_.now()); }
  int remaining_ms(int max) const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_.remaining(clock_.now()));
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 1, max));
  }
  // Sends by `send(options)` and waits for the answer, at most `ms`.
  template <typename Send>
  Result<Event> request(rd_kafka_admin_op_t operation, rd_kafka_event_type_t type, int ms,
                        const std::string& what, Send send,
                        std::optional<std::int32_t> broker = std::nullopt);
  Result<Topics> describe_once(const rd_kafka_TopicCollection_t* topics);
  void pause();
  template <typename Answer>
  void read_topic_result(const Answer* answer,
                         const rd_kafka_topic_result_t** (*topics)(const Answer*, std::size_t*),
                         TopicReport& report, TopicReport::Action action, const std::string& what);
  // Not every broker answers with new settings at once.
  void await_settings(const std::string& topic, const Settings& changed);
  // Right after a topic was created not every broker knows it.
  Result<Settings> read_settings_of_new(const std::string& topic);

  const ClientConfig& client_;
  const Clock& clock_;
  Deadline deadline_ = Deadline::never();
  std::string last_error_;
  std::uintptr_t last_request_ = 0;
  std::unique_ptr<native::ClientCredentials> credentials_;

  std::atomic<bool> cancelled_{false};
  // Guards the two against cancel(): only the requesting thread changes them, so that it reads them
  // without.
  Mutex mutex_;
  native::Handle handle_;
  native::Queue queue_;
};

Status TopicAdmin::Session::open(Deadline deadline) {
  deadline_ = deadline;
  if (cancelled_) return cancelled();
  if (handle_) {
    rd_kafka_poll(handle_.get(), 0);
    last_error_.clear();
  } else {
    native::Conf conf;
    native::apply_client(conf, client_, *this);
    conf.set("allow.auto.create.topics", "false");
    native::apply_raw(conf, client_, native::Role::kAdmin);
    SPANWAY_ASSIGN(native::Handle created,
                   native::create_handle(conf, client_, native::Role::kAdmin));
    credentials_ = std::make_unique<native::ClientCredentials>(client_);
    MutexLock lock(mutex_);
    handle_ = std::move(created);
    queue_.reset(rd_kafka_queue_new(handle_.get()));
  }
  SPANWAY_TRY(credentials_->refresh(handle_.get()));
  return ok_status();
}

template <typename Send>
Result<Event> TopicAdmin::Session::request(rd_kafka_admin_op_t operation,
                                           rd_kafka_event_type_t type, int ms,
                                           const std::string& what, Send send,
                                           std::optional<std::int32_t> broker) {
  char text[256];
  const Options options(rd_kafka_AdminOptions_new(handle_.get(), operation),
                        rd_kafka_AdminOptions_destroy);
  rd_kafka_AdminOptions_set_request_timeout(options.get(), ms, text, sizeof(text));
  if (broker) {
    rd_kafka_AdminOptions_set_broker(options.get(), *broker, text, sizeof(text));
  }
  const std::uintptr_t id = ++last_request_;
  rd_kafka_AdminOptions_set_opaque(options.get(), reinterpret_cast<void*>(id));
  if (cancelled_) return cancelled();
  send(options.get());
  while (true) {
    // The library answers by itself after the request's timeout; the margin is for that.
    Event event(rd_kafka_queue_poll(queue_.get(), ms + kTryMs));
    if (cancelled_) return cancelled();
    rd_kafka_poll(handle_.get(), 0);  // Serves the error callback.
    if (!event) return error_from_code(RD_KAFKA_RESP_ERR__TIMED_OUT, what);
    if (rd_kafka_event_type(event.get()) != type ||
        rd_kafka_event_opaque(event.get()) != reinterpret_cast<void*>(id)) {
      continue;
    }
    const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
    Error failure = error_from_code(error, what);
    if (const char* detail = rd_kafka_event_error_string(event.get())) {
      failure.message += std::string(" (") + detail + ")";
    }
    return failure;
  }
}

// Answers of earlier requests that come meanwhile are dropped.
void TopicAdmin::Session::pause() {
  const Event event(rd_kafka_queue_poll(queue_.get(), kPauseMs));
  rd_kafka_poll(handle_.get(), 0);
}

Result<Topics> TopicAdmin::Session::describe_once(const rd_kafka_TopicCollection_t* topics) {
  SPANWAY_ASSIGN(const std::int32_t broker,
                 native::answering_broker(handle_.get(), [this] { return cancelled_.load(); }));
  Result<Event> event = request(
      RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT, remaining_ms(kTryMs),
      "describing topics",
      [&](const rd_kafka_AdminOptions_t* options) {
        rd_kafka_DescribeTopics(handle_.get(), topics, options, queue_.get());
      },
      broker);
  if (!event.ok()) return std::move(event).error();
  return read_descriptions(event->get());
}

Result<Topics> TopicAdmin::Session::describe(const std::vector<TopicSpec>& specs) {
  std::vector<const char*> names;
  for (const TopicSpec& spec : specs) names.push_back(spec.name.c_str());
  const std::unique_ptr<rd_kafka_TopicCollection_t, void (*)(rd_kafka_TopicCollection_t*)>
      collection(rd_kafka_TopicCollection_of_topic_names(names.data(), names.size()),
                 rd_kafka_TopicCollection_destroy);
  Error failure = error_from_code(RD_KAFKA_RESP_ERR__TIMED_OUT, "describing topics");
  while (!over()) {
    Result<Topics> topics = describe_once(collection.get());
    if (topics.ok()) return topics;
    failure = std::move(topics).error();
    if (!over()) pause();
  }
  if (cancelled_) return cancelled();
  if (!last_error_.empty()) failure.message += ": " + last_error_;
  return failure;
}

template <typename Answer>
void TopicAdmin::Session::read_topic_result(
    const Answer* answer, const rd_kafka_topic_result_t** (*topics)(const Answer*, std::size_t*),
    TopicReport& report, TopicReport::Action action, const std::string& what) {
  std::size_t count = 0;
  const rd_kafka_topic_result_t** found = topics(answer, &count);
  const rd_kafka_resp_err_t error =
      count == 1 ? rd_kafka_topic_result_error(found[0]) : RD_KAFKA_RESP_ERR__FAIL;
  // Another client was faster.
  if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    report.action = action;
    return;
  }
  Error failure = error_from_code(error, what);
  const char* detail = count == 1 ? rd_kafka_topic_result_error_string(found[0]) : nullptr;
  if (detail != nullptr) failure.message += std::string(" (") + detail + ")";
  fail(report, failure);
}

void TopicAdmin::Session::create(const TopicSpec& spec, TopicReport& report) {
  const std::string what = "creating topic " + spec.name;
  char text[512] = {};
  const std::unique_ptr<rd_kafka_NewTopic_t, void (*)(rd_kafka_NewTopic_t*)> topic(
      rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions, spec.replication_factor, text,
                            sizeof(text)),
      rd_kafka_NewTopic_destroy);
  if (!topic) {
    return fail(report, error_from_code(RD_KAFKA_RESP_ERR__INVALID_ARG, what + ": " + text));
  }
  for (const auto& [name, value] : spec.settings) {
    rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str());
  }
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  const Result<Event> event =
      request(RD_KAFKA_ADMIN_OP_CREATETOPICS, RD_KAFKA_EVENT_CREATETOPICS_RESULT,
              remaining_ms(kRequestMs), what, [&](const rd_kafka_AdminOptions_t* options) {
                rd_kafka_CreateTopics(handle_.get(), topics, 1, options, queue_.get());
              });
  if (!event.ok()) return fail(report, event.error());
  read_topic_result(rd_kafka_event_CreateTopics_result(event->get()),
                    rd_kafka_CreateTopics_result_topics, report, TopicReport::Action::kCreated,
                    what);
}

void TopicAdmin::Session::grow(const TopicSpec& spec, TopicReport& report) {
  const std::string what = "adding partitions to topic " + spec.name;
  char text[512] = {};
  const std::unique_ptr<rd_kafka_NewPartitions_t, void (*)(rd_kafka_NewPartitions_t*)> more(
      rd_kafka_NewPartitions_new(spec.name.c_str(), static_cast<std::size_t>(spec.partitions), text,
                                 sizeof(text)),
      rd_kafka_NewPartitions_destroy);
  if (!more) {
    return fail(report, error_from_code(RD_KAFKA_RESP_ERR__INVALID_ARG, what + ": " + text));
  }
  rd_kafka_NewPartitions_t* list[] = {more.get()};
  const Result<Event> event =
      request(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT,
              remaining_ms(kRequestMs), what, [&](const rd_kafka_AdminOptions_t* options) {
                rd_kafka_CreatePartitions(handle_.get(), list, 1, options, queue_.get());
              });
  if (!event.ok()) return fail(report, event.error());
  read_topic_result(rd_kafka_event_CreatePartitions_result(event->get()),
                    rd_kafka_CreatePartitions_result_topics, report, TopicReport::Action::kGrown,
                    what);
}

Result<Topics> TopicAdmin::Session::await_changes(const std::vector<TopicSpec>& specs,
                                                  const std::vector<TopicReport>& reports) {
  Topics topics;
  const auto complete = [&] {
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (reports[i].action == TopicReport::Action::kFailed) continue;
      if (!exists(topics, specs[i].name)) return false;
      const bool changed = reports[i].action != TopicReport::Action::kUnchanged;
      if (changed && topics[specs[i].name].partitions < specs[i].partitions) return false;
    }
    return true;
  };
  while (true) {
    SPANWAY_ASSIGN(topics, describe(specs));
    if (complete() || over()) return topics;
    pause();
  }
}

// One request; the topic must exist.
Result<Settings> TopicAdmin::Session::read_settings(const std::string& topic) {
  const std::string what = "reading the settings of topic " + topic;
  const std::unique_ptr<rd_kafka_ConfigResource_t, void (*)(rd_kafka_ConfigResource_t*)> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()),
      rd_kafka_ConfigResource_destroy);
  rd_kafka_ConfigResource_t* list[] = {resource.get()};
  Event event;
  SPANWAY_ASSIGN(
      event, request(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT,
                     remaining_ms(kRequestMs), what, [&](const rd_kafka_AdminOptions_t* options) {
                       rd_kafka_DescribeConfigs(handle_.get(), list, 1, options, queue_.get());
                     }));
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** found = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  if (count != 1) return error_from_code(RD_KAFKA_RESP_ERR__FAIL, what);
  if (const rd_kafka_resp_err_t error = rd_kafka_ConfigResource_error(found[0])) {
    return error_from_code(error, what);
  }
  Settings values;
  std::size_t entry_count = 0;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(found[0], &entry_count);
  for (std::size_t i = 0; i < entry_count; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);  // Null = kept secret.
    if (value != nullptr) values[rd_kafka_ConfigEntry_name(entries[i])] = value;
  }
  return values;
}

Result<Settings> TopicAdmin::Session::read_settings_of_new(const std::string& topic) {
  for (int tries = 1;; ++tries) {
    auto found = read_settings(topic);
    if (found.ok() || tries == kSettingsTriesMax || over()) return found;
    const Error& error = found.error();
    // Not found: a broker that does not know a new topic yet.
    if (error.refusal != Refusal::kTransient && error.code != Code::kNotFound) return found;
    pause();
  }
}

void TopicAdmin::Session::strengthen(const TopicSpec& spec, std::int32_t replication_factor,
                                     TopicReport& report) {
  const auto settings = read_settings(spec.name);
  if (!settings.ok()) return;  // compare() reports why.
  const Settings weaker = weaker_settings(spec, *settings, replication_factor);
  if (weaker.empty()) return;
  const std::string what = "changing settings of topic " + spec.name;
  const std::unique_ptr<rd_kafka_ConfigResource_t, void (*)(rd_kafka_ConfigResource_t*)> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, spec.name.c_str()),
      rd_kafka_ConfigResource_destroy);
  for (const auto& [name, value] : weaker) {
    if (rd_kafka_error_t* error = rd_kafka_ConfigResource_add_incremental_config(
            resource.get(), name.c_str(), RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET, value.c_str())) {
      report.weaker.push_back(what + ": " + rd_kafka_error_string(error));
      rd_kafka_error_destroy(error);
      return;
    }
  }
  rd_kafka_ConfigResource_t* list[] = {resource.get()};
  const Result<Event> event = request(
      RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS, RD_KAFKA_EVENT_INCREMENTALALTERCONFIGS_RESULT,
      remaining_ms(kRequestMs), what, [&](const rd_kafka_AdminOptions_t* options) {
        rd_kafka_IncrementalAlterConfigs(handle_.get(), list, 1, options, queue_.get());
      });
  Error failure;
  if (event.ok()) {
    std::size_t count = 0;
    const rd_kafka_ConfigResource_t** found = rd_kafka_IncrementalAlterConfigs_result_resources(
        rd_kafka_event_IncrementalAlterConfigs_result(event->get()), &count);
    const rd_kafka_resp_err_t error =
        count == 1 ? rd_kafka_ConfigResource_error(found[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (report.action == TopicReport::Action::kUnchanged) {
        report.action = TopicReport::Action::kChanged;
      }
      return await_settings(spec.name, weaker);
    }
    failure = error_from_code(error, what);
  } else {
    failure = event.error();
  }
  if (failure.code == Code::kPermissionDenied) failure.message += "; it takes AlterConfigs on it";
  report.weaker.push_back(failure.message);
}

void TopicAdmin::Session::await_settings(const std::string& topic, const Settings& changed) {
  for (int tries = 1; tries <= kSettingsTriesMax && !over(); ++tries) {
    const auto found = read_settings(topic);
    const auto is_in_force = [&](const auto& one) {
      const auto actual = found->find(one.first);
      return actual != found->end() && actual->second == one.second;
    };
    if (found.ok() && std::all_of(changed.begin(), changed.end(), is_in_force)) return;
    pause();
  }
}

void TopicAdmin::Session::compare(const TopicSpec& spec, TopicReport& report) {
  compare_numbers(spec, report);
  const auto settings = read_settings_of_new(spec.name);
  if (settings.ok()) {
    compare_settings(spec, *settings, report);
  } else if (settings.error().code == Code::kPermissionDenied) {
    // A client that may produce and consume need not be allowed to read settings: that is no fault
    // of the topic's.
    report.unread = settings.error().message + "; to compare them takes DescribeConfigs on it";
  } else {
    report.weaker.push_back("not known: " + settings.error().message);
  }
}

std::string_view to_string(TopicReport::Action action) noexcept {
  constexpr std::array<std::string_view, 5> names = {"unchanged", "created", "grown", "changed",
                                                     "failed"};
  return names[static_cast<std::size_t>(action)];
}

TopicAdmin::TopicAdmin(ClientConfig client, const Clock& clock, telemetry::Telemetry telemetry)
    : client_(std::move(client)), session_(std::make_unique<Session>(client_, clock, telemetry)) {}

TopicAdmin::~TopicAdmin() { session_->close(); }

Result<std::vector<TopicReport>> TopicAdmin::apply(const std::vector<TopicSpec>& specs,
                                                   TopicChanges changes, Deadline deadline) {
  SPANWAY_TRY(session_->open(deadline));
  Topics topics;
  SPANWAY_ASSIGN(topics, session_->describe(specs));
  std::vector<TopicReport> reports;
  bool changed = false;
  for (const TopicSpec& spec : specs) {
    TopicReport& report = reports.emplace_back();
    report.name = spec.name;
    const auto found = topics.find(spec.name);
    if (exists(topics, spec.name)) {
      const bool updates = changes == TopicChanges::kCreateAndUpdate;
      if (updates && found->second.partitions < spec.partitions) session_->grow(spec, report);
      const bool failed = report.action == TopicReport::Action::kFailed;
      if (updates && !failed) {
        session_->strengthen(spec, found->second.replication_factor, report);
      }
    } else if (changes != TopicChanges::kNone) {
      session_->create(spec, report);
    } else if (found != topics.end()) {
      fail(report, error_from_code(found->second.error, "describing topic " + spec.name));
    } else {
      report.action = TopicReport::Action::kFailed;
      report.error = "topic " + spec.name + " does not exist";
    }
    const bool tried = report.action != TopicReport::Action::kUnchanged;
    changed = changed || (tried && changes != TopicChanges::kNone);
  }
  if (changed) {
    SPANWAY_ASSIGN(topics, session_->await_changes(specs, reports));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto found = topics.find(specs[i].name);
    if (found != topics.end()) {
      reports[i].partitions = found->second.partitions;
      reports[i].replication_factor = found->second.replication_factor;
    }
    if (reports[i].action != TopicReport::Action::kFailed) session_->compare(specs[i], reports[i]);
  }
  return reports;
}

Result<Settings> TopicAdmin::read_settings(const std::string& topic, Deadline deadline) {
  SPANWAY_TRY(session_->open(deadline));
  return session_->read_settings(topic);
}

void TopicAdmin::disconnect() noexcept { session_->close(); }

void TopicAdmin::cancel() noexcept { session_->cancel(); }

}  // namespace spanway::kafka
