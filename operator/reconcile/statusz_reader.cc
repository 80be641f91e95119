#include "operator/reconcile/statusz_reader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <optional>
#include <utility>

#include "services/lib/base/mutex.h"
#include "services/lib/http/client.h"
#include "services/lib/http/io_pool.h"

namespace spanway::reconcile {
namespace {

constexpr std::size_t kAtOnceMax = 32;
constexpr std::size_t kOfNodeAtOnceMax = 4;

decide::StatuszReport to_report(const Result<http::Response>& answer) {
  if (!answer.ok()) return decide::not_answered(answer.error().message);
  if (answer->status != 200) return decide::not_answered("HTTP " + std::to_string(answer->status));
  return decide::parse_statusz(answer->body.view());
}

class PacedReader final : public StatuszReader {
 public:
  PacedReader(StatuszFetch fetch, const Clock& clock, Duration timeout)
      : fetch_(std::move(fetch)), clock_(clock), timeout_(timeout) {}
  std::map<std::string, decide::StatuszReport> read(const std::vector<Address>& pods) override;

 private:
  struct Node {
    std::deque<std::size_t> waiting;  // Indices of pods.
    std::size_t running = 0;
    std::size_t silent = 0;
    bool has_answered = false;
    bool is_given_up() const { return !has_answered && silent >= kOfNodeAtOnceMax; }
  };
  struct Call {
    std::shared_ptr<void> request;
    Node* node = nullptr;
    decide::StatuszReport report;
    SteadyTime started{};
    bool done = false;
  };
  void finish(Call& call, decide::StatuszReport report);
  // A pod that may be polled now; nothing when all are polled or must wait.
  std::optional<std::size_t> take_next(std::map<std::string, Node>& nodes, std::vector<Call>& calls)
      SPANWAY_REQUIRES(mutex_);

  const StatuszFetch fetch_;
  const Clock& clock_;
  const Duration timeout_;
  Mutex mutex_;
  CondVar changed_;
  std::size_t running_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

void PacedReader::finish(Call& call, decide::StatuszReport report) {
  const MutexLock lock(mutex_);
  if (report.answered) {
    call.node->has_answered = true;
  } else if ((clock_.now() - call.started) * 2 >= timeout_) {
    // A refusal comes at once and holds up no other pod.
    ++call.node->silent;
  }
  --call.node->running;
  call.report = std::move(report);
  call.done = true;
  --running_;
  changed_.notify_all();
}

std::optional<std::size_t> PacedReader::take_next(std::map<std::string, Node>& nodes,
                                                  std::vector<Call>& calls) {
  for (auto& [name, node] : nodes) {
    if (node.is_given_up()) {
      for (const std::size_t i : std::exchange(node.waiting, {})) {
        calls[i].report = decide::not_answered("not polled: no pod on node " + name + " answers");
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

std::map<std::string, decide::StatuszReport> PacedReader::read(const std::vector<Address>& pods) {
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
    Call& call = calls[*next];
    call.started = clock_.now();
    call.request = fetch_(pods[*next], [this, &call](decide::StatuszReport report) {
      finish(call, std::move(report));
    });
  }
  std::map<std::string, decide::StatuszReport> reports;
  for (std::size_t i = 0; i < pods.size(); ++i) {
    calls[i].request.reset();
    reports[pods[i].pod] = std::move(calls[i].report);
  }
  return reports;
}

// A connection for each request: pods are many and polled seldom.
std::shared_ptr<void> fetch_over_http(http::IoPool& pool, Duration timeout,
                                      const StatuszReader::Address& pod,
                                      std::function<void(decide::StatuszReport)> done) {
  const bool v6 = pod.ip.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + pod.ip + "]" : pod.ip;
  auto url = http::Url::parse("http://" + host + ":" + std::to_string(pod.port) + "/statusz");
  http::ClientOptions options;
  options.connections_max = 1;
  options.response_bytes_max = decide::kStatuszBytesMax;
  options.connect_timeout = timeout;
  auto client = url.ok() ? http::Client::create(*url, options, nullptr, pool)
                         : Result<std::unique_ptr<http::Client>>(url.error());
  if (!client.ok()) {
    done(decide::not_answered(client.error().message));
    return nullptr;
  }
  std::shared_ptr<http::Client> kept = std::move(*client);
  http::ClientRequest request;
  request.method = "GET";
  kept->send(
      std::move(request), Deadline::after(system_clock(), timeout), true,
      [done = std::move(done)](const Result<http::Response>& answer) { done(to_report(answer)); });
  return kept;
}

}  // namespace

std::unique_ptr<StatuszReader> make_statusz_reader(StatuszFetch fetch, const Clock& clock,
                                                   Duration timeout) {
  return std::make_unique<PacedReader>(std::move(fetch), clock, timeout);
}

std::unique_ptr<StatuszReader> make_statusz_reader(Duration timeout) {
  auto pool = std::make_shared<http::IoPool>("statusz", 1);
  return make_statusz_reader(
      [pool, timeout](const StatuszReader::Address& pod,
                      std::function<void(decide::StatuszReport)> done) {
        return fetch_over_http(*pool, timeout, pod, std::move(done));
      },
      system_clock(), timeout);
}

}  // namespace spanway::reconcile
