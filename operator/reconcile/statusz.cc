#include "operator/reconcile/statusz.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <optional>
#include <utility>

#include "operator/json/json.h"
#include "services/lib/base/mutex.h"
#include "services/lib/http/client.h"
#include "services/lib/http/io_pool.h"

namespace spanway::reconcile {
namespace {

using kube::Json;

constexpr std::size_t kAtOnceMax = 32;
constexpr std::size_t kOfNodeAtOnceMax = 4;
constexpr std::size_t kAnswerBytesMax = 1u << 20;
// What one pod may tell; more is a pod that lies.
constexpr std::size_t kTopicsMax = 256;
constexpr std::size_t kPartitionsMax = 10'000;
constexpr std::size_t kStallsMax = 256;
constexpr std::size_t kWeaknessesMax = 64;
constexpr std::size_t kTextBytesMax = 1024;

std::string text_at(const Json& value, std::string_view path) {
  return kube::string_at(value, path).substr(0, kTextBytesMax);
}

double number_at(const Json& value, std::string_view path) {
  const Json* number = kube::find(value, path);
  if (number == nullptr || !number->is_number()) return 0;
  const double seconds = number->get<double>();
  return std::isfinite(seconds) && seconds > 0 ? seconds : 0;
}

void read_topics(const Json& root, StatuszReport& report) {
  const Json* list = kube::find(root, "topics");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& topic : *list) {
    if (report.topics.size() == kTopicsMax) return;
    report.topics.push_back({.name = text_at(topic, "name"),
                             .partitions = kube::int_at(topic, "partitions"),
                             .error = text_at(topic, "error")});
  }
}

void read_partitions(const Json& root, StatuszReport& report) {
  const Json* list = kube::find(root, "partitions");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& partition : *list) {
    if (report.partitions.size() == kPartitionsMax) return;
    report.partitions.push_back(
        {.topic = text_at(partition, "topic"),
         .partition = static_cast<std::int32_t>(kube::int_at(partition, "partition")),
         .lag_messages = kube::int_at(partition, "lag_messages"),
         .lag_seconds = number_at(partition, "lag_seconds"),
         .stalled = kube::bool_at(partition, "stalled"),
         .reason = text_at(partition, "reason")});
  }
}

void read_stalls(const Json& root, StatuszReport& report) {
  const Json* list = kube::find(root, "stalls");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& stall : *list) {
    if (report.stalls.size() == kStallsMax) return;
    report.stalls.push_back({.signal = text_at(stall, "signal"),
                             .tenant = text_at(stall, "tenant"),
                             .scope = text_at(stall, "scope"),
                             .reason = text_at(stall, "reason")});
  }
}

void read_weaknesses(const Json& root, StatuszReport& report) {
  const Json* list = kube::find(root, "weaknesses");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& one : *list) {
    if (report.weaknesses.size() == kWeaknessesMax) return;
    if (one.is_string())
      report.weaknesses.push_back(one.get<std::string>().substr(0, kTextBytesMax));
  }
}

// Nothing when the object or its flag is missing: an older service does not report it.
std::optional<ActivityReport> activity_at(const Json& root, std::string_view name,
                                          std::string_view flag) {
  const Json* object = kube::find(root, name);
  if (object == nullptr || !object->is_object()) return std::nullopt;
  const Json* ok = kube::find(*object, flag);
  if (ok == nullptr || !ok->is_boolean()) return std::nullopt;
  return ActivityReport{.ok = ok->get<bool>(),
                        .error = text_at(*object, "last_error"),
                        .reason = text_at(*object, "last_error_reason")};
}

void read_activities(const Json& root, StatuszReport& report) {
  report.produce = activity_at(root, "produce", "ok");
  report.assignment = activity_at(root, "assignment", "ok");
  // A group has one reason, in words.
  if (report.assignment) report.assignment->error = text_at(root, "assignment/reason");
  report.next = activity_at(root, "next", "reachable");
  // An ingress that has not sent anything yet: nothing speaks against its next hop.
  if (report.next && !report.next->ok && report.next->error.empty()) report.next.reset();
}

void read_destination(const Json& root, StatuszReport& report) {
  const Json* destination = kube::find(root, "destination");
  if (destination == nullptr || !destination->is_object()) return;
  report.has_destination = true;
  // An exporter that has not sent anything yet says null: nothing speaks against its destination.
  report.destination_reachable = kube::bool_at(*destination, "reachable", true);
  const Json* reachable = kube::find(*destination, "reachable");
  report.destination_known = reachable != nullptr && reachable->is_boolean();
  report.destination_error = text_at(*destination, "last_error");
  report.destination_error_reason = text_at(*destination, "last_error_reason");
  report.destination_endpoint = text_at(*destination, "endpoint");
}

StatuszReport not_answered(std::string why) {
  StatuszReport report;
  report.error = std::move(why);
  return report;
}

StatuszReport to_report(const Result<http::Response>& answer) {
  if (!answer.ok()) return not_answered(answer.error().message);
  if (answer->status != 200) return not_answered("HTTP " + std::to_string(answer->status));
  return parse_statusz(answer->body.view());
}

class HttpReader final : public StatuszReader {
 public:
  explicit HttpReader(Duration patience) : patience_(patience), pool_("statusz", 1) {}
  std::map<std::string, StatuszReport> read(const std::vector<Address>& pods) override;

 private:
  struct Node {
    std::deque<std::size_t> waiting;  // Indices of pods.
    std::size_t running = 0;
    std::size_t silent = 0;
    bool has_answered = false;
    bool is_given_up() const { return !has_answered && silent >= kOfNodeAtOnceMax; }
  };
  struct Call {
    std::unique_ptr<http::Client> client;
    Node* node = nullptr;
    StatuszReport report;
    SteadyTime started{};
    bool done = false;
  };
  // The callback marks the call as done.
  void start(const Address& pod, Call& call);
  void finish(Call& call, StatuszReport report);
  // A pod that may be asked now; nothing when all are asked or must wait.
  std::optional<std::size_t> take_next(std::map<std::string, Node>& nodes, std::vector<Call>& calls)
      SPANWAY_REQUIRES(mutex_);

  const Duration patience_;
  http::IoPool pool_;
  Mutex mutex_;
  CondVar changed_;
  std::size_t running_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

void HttpReader::finish(Call& call, StatuszReport report) {
  const MutexLock lock(mutex_);
  if (report.answered) {
    call.node->has_answered = true;
  } else if ((system_clock().now() - call.started) * 2 >= patience_) {
    // A refusal comes at once and holds up no other pod.
    ++call.node->silent;
  }
  --call.node->running;
  call.report = std::move(report);
  call.done = true;
  --running_;
  changed_.notify_all();
}

void HttpReader::start(const Address& pod, Call& call) {
  call.started = system_clock().now();
  const bool v6 = pod.ip.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + pod.ip + "]" : pod.ip;
  auto url = http::Url::parse("http://" + host + ":" + std::to_string(pod.port) + "/statusz");
  http::ClientOptions options;
  options.connections_max = 1;
  options.response_bytes_max = kAnswerBytesMax;
  options.connect_timeout = patience_;
  auto client = url.ok() ? http::Client::create(*url, options, nullptr, pool_)
                         : Result<std::unique_ptr<http::Client>>(url.error());
  if (!client.ok()) return finish(call, not_answered(client.error().message));
  call.client = std::move(*client);
  http::ClientRequest request;
  request.method = "GET";
  call.client->send(
      std::move(request), Deadline::after(system_clock(), patience_), true,
      [this, &call](const Result<http::Response>& answer) { finish(call, to_report(answer)); });
}

std::optional<std::size_t> HttpReader::take_next(std::map<std::string, Node>& nodes,
                                                 std::vector<Call>& calls) {
  for (auto& [name, node] : nodes) {
    if (node.is_given_up()) {
      for (const std::size_t i : std::exchange(node.waiting, {})) {
        calls[i].report = not_answered("not asked: no pod on node " + name + " answers");
        calls[i].done = true;
      }
    }
    if (node.waiting.empty() || running_ >= kAtOnceMax) continue;
    if (!name.empty() && node.running >= kOfNodeAtOnceMax) continue;
    const std::size_t i = node.waiting.front();
    node.waiting.pop_front();
    ++node.running;
    ++running_;
    calls[i].node = &node;
    return i;
  }
  return std::nullopt;
}

std::map<std::string, StatuszReport> HttpReader::read(const std::vector<Address>& pods) {
  // Their addresses are in the callbacks: the list never grows.
  std::vector<Call> calls(pods.size());
  std::map<std::string, Node> nodes;
  for (std::size_t i = 0; i < pods.size(); ++i) nodes[pods[i].node].waiting.push_back(i);
  const auto all_done = [&calls] {
    return std::all_of(calls.begin(), calls.end(), [](const Call& call) { return call.done; });
  };
  for (;;) {
    std::optional<std::size_t> next;
    {
      const MutexLock lock(mutex_);
      while (!(next = take_next(nodes, calls)) && !all_done()) changed_.wait(mutex_);
    }
    if (!next) break;
    start(pods[*next], calls[*next]);
  }
  std::map<std::string, StatuszReport> reports;
  for (std::size_t i = 0; i < pods.size(); ++i) {
    calls[i].client.reset();
    reports[pods[i].pod] = std::move(calls[i].report);
  }
  return reports;
}

}  // namespace

StatuszReport parse_statusz(std::string_view body) {
  const auto parsed = kube::parse_json(body, kAnswerBytesMax);
  if (!parsed.ok()) return not_answered(parsed.error().message);
  if (!parsed->is_object()) return not_answered("/statusz is no JSON object");
  StatuszReport report;
  report.answered = true;
  report.ready = kube::bool_at(*parsed, "ready");
  report.reason = text_at(*parsed, "reason");
  report.kafka_reachable = kube::bool_at(*parsed, "kafka/reachable");
  report.last_error = text_at(*parsed, "last_error");
  read_topics(*parsed, report);
  read_partitions(*parsed, report);
  read_destination(*parsed, report);
  read_activities(*parsed, report);
  report.certificate_error = text_at(*parsed, "certificate_reload_error");
  read_stalls(*parsed, report);
  report.lost_records = std::max<std::int64_t>(0, kube::int_at(*parsed, "lost_records"));
  read_weaknesses(*parsed, report);
  return report;
}

std::unique_ptr<StatuszReader> make_statusz_reader(Duration patience) {
  return std::make_unique<HttpReader>(patience);
}

}  // namespace spanway::reconcile
