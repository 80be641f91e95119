#include "operator/decide/topics_decision.h"

#include <algorithm>
#include <string>
#include <utility>

#include "operator/decide/job_ending.h"
#include "operator/decide/pod_health.h"
#include "operator/decide/topic_settings.h"

namespace spanway::decide {
namespace {

// `topics apply` ends so when every topic is there but one promises less than desired.
constexpr std::int64_t kExitWeaker = 3;
constexpr std::string_view kContainer = "topics";
constexpr std::size_t kTopicsMax = 64;
constexpr std::size_t kWordsBytesMax = 512;

// The report is one line of JSON, perhaps among lines of the log.
std::optional<Json> report_in(const std::string& message) {
  std::size_t end = message.size();
  while (end > 0) {
    const std::size_t newline = message.rfind('\n', end - 1);
    const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
    const std::string line = message.substr(begin, end - begin);
    if (line.starts_with('{')) {
      auto report = kube::parse_json(line, 64u << 10);
      if (report.ok() && kube::find(*report, "topics") != nullptr) return std::move(report).value();
    }
    if (newline == std::string::npos) break;
    end = newline;
  }
  return std::nullopt;
}

// The message of a topic: its error, everything that is weaker than the spec, or why that is
// not known.
std::string words_of(const Json& topic) {
  std::string words = kube::string_at(topic, "error");
  const Json* weaker = kube::find(topic, "weaker");
  if (weaker != nullptr && weaker->is_array()) {
    for (const Json& one : *weaker) {
      if (!one.is_string()) continue;
      words += (words.empty() ? "" : "; ") + one.get<std::string>();
    }
  }
  if (words.empty()) words = kube::string_at(topic, "unread");
  return one_line(words, kWordsBytesMax);
}

void fill(TopicsView& view, const Json& report) {
  const Json& topics = *kube::find(report, "topics");
  view.topics = Json::array();
  if (!topics.is_array()) return;
  for (const Json& topic : topics) {
    if (view.topics.size() == kTopicsMax) break;
    const std::string name = kube::string_at(topic, "name");
    const std::string error = kube::string_at(topic, "error");
    const Json* weaker = kube::find(topic, "weaker");
    const bool is_weak = weaker != nullptr && weaker->is_array() && !weaker->empty();
    Json entry = {{"name", name},
                  {"partitions", kube::int_at(topic, "partitions")},
                  {"replicationFactor", kube::int_at(topic, "replication_factor")},
                  {"state", !error.empty() ? "Failed"
                            : is_weak      ? "Weak"
                                           : "Ready"}};
    const std::int64_t in_sync = kube::int_at(topic, "min_insync_replicas", -1);
    if (in_sync >= 0) entry["minInsyncReplicas"] = in_sync;
    std::string words = words_of(topic);
    if (view.message.empty() && (is_weak || !error.empty()) && !words.empty())
      view.message = "topic " + name + ": " + words;
    if (!words.empty()) entry["message"] = std::move(words);
    view.topics.push_back(std::move(entry));
  }
}

void read_ending(TopicsView& view, const JobEnding& ending, bool succeeded, const Json& status) {
  const std::optional<Json> report = report_in(ending.message);
  if (report) fill(view, *report);
  if (!report && kube::find(status, "topics") != nullptr)
    view.topics = *kube::find(status, "topics");
  const bool is_weak = ending.known && ending.exit_code == kExitWeaker;
  view.state = succeeded ? TopicsView::State::kReady
               : is_weak ? TopicsView::State::kWeak
                         : TopicsView::State::kFailed;
  if (view.state == TopicsView::State::kReady) return;
  if (view.message.empty() && report) view.message = kube::string_at(*report, "error");
  if (view.message.empty()) view.message = last_line(ending.message);
  if (view.message.empty())
    view.message = "the topics Job has failed; the logs of its pods name the cause";
}

// `weaker`: "<topic>: <what>".
void report_weaker(TopicsView& view, const std::string& weaker) {
  view.state = TopicsView::State::kWeak;
  view.message = "topic " + one_line(weaker, kWordsBytesMax);
  if (!view.topics.is_array()) return;
  for (Json& topic : view.topics) {
    const std::string begin = kube::string_at(topic, "name") + ": ";
    if (!topic.is_object() || !weaker.starts_with(begin)) continue;
    topic["state"] = "Weak";
    topic["message"] = one_line(weaker.substr(begin.size()), kWordsBytesMax);
  }
}

// The deadline of the Job has ended only what others had put beside its own container, which had
// ended well: only then the condition has this reason.
bool was_well(const Json& failed, const Json& status) {
  if (kube::string_at(failed, "reason") != "DeadlineExceeded") return false;
  const Json* conditions = kube::find(status, "conditions");
  if (conditions == nullptr || !conditions->is_array()) return false;
  return std::any_of(conditions->begin(), conditions->end(), [](const Json& one) {
    return kube::string_at(one, "type") == "TopicsReady" &&
           kube::string_at(one, "status") == "True" && kube::string_at(one, "reason") == "Ready";
  });
}

}  // namespace

TopicsJobDecision decide_topics_job(const TopicsJobInput& input) {
  TopicsJobDecision decision;
  if (!input.desired) return decision;  // kUnmanaged
  TopicsView& view = decision.view;
  view.state = TopicsView::State::kPending;
  view.topics = Json::array();
  if (!input.job) {
    decision.create = true;
    view.message = "the topics Job is being started";
    // A Job that runs again: keep the report of the last one until then.
    if (const Json* known = kube::find(input.status, "topics"); known != nullptr)
      view.topics = *known;
    return decision;
  }
  decision.create = has_no_owner(*input.job);
  const JobEnding ending = job_ending(input.pods, input.desired->key().name, kContainer);
  const auto retry_after = [&](const Json& ended, Duration wait) {
    const auto since = condition_time(ended);
    // A time in the future (the clock was set back) says nothing.
    const bool is_known = since && *since <= input.wall_now;
    const Duration waited = is_known ? input.wall_now - *since : wait;
    decision.remove = waited >= wait;
    if (!decision.remove) decision.requeue_after = std::min(wait, wait - waited);
  };
  const Json* complete = job_condition(*input.job, "Complete");
  const Json* failed = job_condition(*input.job, "Failed");
  const bool is_well = complete != nullptr || (failed == nullptr && ending.is_well()) ||
                       (failed != nullptr && was_well(*failed, input.status));
  if (is_well) {
    read_ending(view, ending, true, input.status);
    decision.is_well = !input.missing;
    const Json ended = complete != nullptr ? *complete
                       : failed != nullptr ? *failed
                                           : Json{{"lastTransitionTime", ending.ended}};
    // Pods know a topic only some seconds after its creation, so not at once.
    if (input.missing) {
      retry_after(ended, job_retry_wait(std::max(1, input.failures)));
    } else if (!input.weaker.empty()) {
      // Reports that may be older than the Job's end say nothing yet.
      retry_after(ended, kTopicReportAge);
      if (!decision.remove) return decision;
      report_weaker(view, input.weaker);
      decision.is_well = false;
      retry_after(ended, kJobRetryWaitMax);
    }
    return decision;
  }
  if (failed == nullptr) {
    view.message = "the topics Job runs";
    const std::string blocked = what_blocks_job(input.desired->key().name, kContainer, input.pods,
                                                input.refused, input.wall_now);
    if (!blocked.empty()) {
      view.state = TopicsView::State::kBlocked;
      view.message = "the topics Job does not start: " + blocked;
      if (const Json* known = kube::find(input.status, "topics"); known != nullptr)
        view.topics = *known;
      return decision;
    }
    if (ending.known && ending.exit_code != 0) view.message += ": " + last_line(ending.message);
    return decision;
  }
  read_ending(view, ending, false, input.status);
  // Only its owner can change a weak topic; a missing topic can be created.
  const bool is_weak = view.state == TopicsView::State::kWeak && !input.missing;
  retry_after(*failed, is_weak ? kJobRetryWaitMax : job_retry_wait(std::max(1, input.failures)));
  return decision;
}

}  // namespace spanway::decide
