#include "operator/decide/traffic.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "operator/render/render.h"
#include "services/lib/base/ascii.h"

namespace spanway::decide {
namespace {

using render::Role;

constexpr char kMissing[] = "TopicMissing";
constexpr std::size_t kWeaknessesMax = 8;

bool speaks_kafka(const ComponentView& view) {
  return view.id.role == Role::kBridge || view.id.role == Role::kConsumer;
}

const StatuszReport* report_of(const PodView& pod, const Reports& reports) {
  if (pod.deleting || pod.canary) return nullptr;
  const auto found = reports.find(pod.name);
  return found == reports.end() || !found->second.answered ? nullptr : &found->second;
}

// The pods of one component on one activity: the first failure, and whether any pod succeeds.
class Poll {
 public:
  void add(const PodView& pod, bool ok, std::string reason, std::string words) {
    succeeds_ = succeeds_ || ok;
    if (ok || failed_) return;
    failed_ = true;
    pod_ = pod.name;
    reason_ = std::move(reason);
    words_ = std::move(words);
  }
  std::optional<Obstacle> result(const std::string& component, const std::string& activity) const {
    if (!failed_) return std::nullopt;
    return Obstacle{.reason = reason_,
                    .place = component + ": pod " + pod_ + ": " + activity,
                    .words = words_,
                    .blocks = !succeeds_};
  }

 private:
  bool failed_ = false;
  bool succeeds_ = false;
  std::string pod_;
  std::string reason_;
  std::string words_;
};

// Keeps the first one, and a blocking one rather than another.
void keep_worse(std::optional<Obstacle>& worst, std::optional<Obstacle> next) {
  if (!next) return;
  if (!worst || (next->blocks && !worst->blocks)) worst = std::move(next);
}

std::optional<Obstacle> produce_obstacle(const std::string& name, const ComponentView& view,
                                         const Reports& reports) {
  Poll poll;
  for (const PodView& pod : view.pods) {
    const StatuszReport* report = report_of(pod, reports);
    if (report == nullptr || !report->kafka_reachable || !report->produce) continue;
    const ActivityReport& produce = *report->produce;
    poll.add(pod, produce.ok,
             kafka_error_reason(produce.reason + " " + produce.error, "ProduceFailed"),
             produce.error.empty() ? produce.reason : produce.error);
  }
  return poll.result(name, "produce requests fail: ");
}

std::optional<Obstacle> topic_obstacle(const std::string& name, const ComponentView& view,
                                       const Reports& reports) {
  std::map<std::string, Poll> topics;
  for (const PodView& pod : view.pods) {
    const StatuszReport* report = report_of(pod, reports);
    if (report == nullptr || !report->kafka_reachable) continue;
    for (const TopicReport& topic : report->topics)
      topics[topic.name].add(pod, topic.error.empty(),
                             kafka_error_reason(topic.error, "TopicUnusable"), topic.error);
  }
  std::optional<Obstacle> worst;
  for (const auto& [topic, poll] : topics)
    keep_worse(worst, poll.result(name, "topic " + topic + ": "));
  return worst;
}

}  // namespace

std::string kafka_error_reason(const std::string& error, const char* otherwise) {
  std::string plain;
  for (const char c : error) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) plain += to_lower(c);
  }
  const auto has = [&plain](const char* word) { return plain.find(word) != std::string::npos; };
  if (has("unknowntopic")) return kMissing;
  if (has("authorization") || has("notauthorized") || has("authorised")) return "KafkaAccessDenied";
  if (has("notenoughreplicas") || has("notenoughinsync") || has("insyncreplicas"))
    return "NotEnoughReplicas";
  return otherwise;
}

std::optional<Obstacle> next_hop_obstacle(const std::string& pipeline,
                                          const std::vector<ComponentView>& components,
                                          const Reports& reports) {
  std::optional<Obstacle> worst;
  for (const ComponentView& view : components) {
    if (view.id.role != Role::kIngress) continue;
    Poll poll;
    for (const PodView& pod : view.pods) {
      const StatuszReport* report = report_of(pod, reports);
      if (report == nullptr || !report->next) continue;
      poll.add(pod, report->next->ok, "NextHopUnreachable", report->next->error);
    }
    keep_worse(worst, poll.result(render::object_name(pipeline, view.id),
                                  "the next hop cannot be reached: "));
  }
  return worst;
}

std::optional<Obstacle> topics_obstacle(const std::string& pipeline,
                                        const std::vector<ComponentView>& components,
                                        const Reports& reports) {
  std::optional<Obstacle> worst;
  for (const ComponentView& view : components) {
    if (!speaks_kafka(view)) continue;
    const std::string name = render::object_name(pipeline, view.id);
    keep_worse(worst, topic_obstacle(name, view, reports));
    keep_worse(worst, produce_obstacle(name, view, reports));
  }
  return worst;
}

std::optional<Obstacle> assignment_obstacle(const std::string& pipeline, const ComponentView& view,
                                            const Reports& reports) {
  Poll poll;
  for (const PodView& pod : view.pods) {
    const StatuszReport* report = report_of(pod, reports);
    if (report == nullptr || !report->kafka_reachable || !report->assignment) continue;
    poll.add(pod, report->assignment->ok,
             kafka_error_reason(report->assignment->error, "NoAssignment"),
             report->assignment->error);
  }
  return poll.result(render::object_name(pipeline, view.id), "no partitions are assigned: ");
}

std::optional<Obstacle> certificate_obstacle(const std::string& pipeline,
                                             const std::vector<ComponentView>& components,
                                             const Reports& reports) {
  for (const ComponentView& view : components) {
    for (const PodView& pod : view.pods) {
      const StatuszReport* report = report_of(pod, reports);
      if (report == nullptr || report->certificate_error.empty()) continue;
      return Obstacle{.reason = "CertificateNotLoaded",
                      .place = render::object_name(pipeline, view.id) + ": pod " + pod.name +
                               ": the old certificate stays in use: ",
                      .words = report->certificate_error};
    }
  }
  return std::nullopt;
}

std::optional<Obstacle> credentials_obstacle(const std::string& pipeline,
                                             const std::vector<ComponentView>& components,
                                             const Reports& reports) {
  for (const ComponentView& view : components) {
    for (const PodView& pod : view.pods) {
      const StatuszReport* report = report_of(pod, reports);
      if (report == nullptr || report->credential_errors.empty()) continue;
      std::string words;
      for (const std::string& error : report->credential_errors)
        words += (words.empty() ? "" : "; ") + error;
      return Obstacle{.reason = "CredentialsNotLoaded",
                      .place = render::object_name(pipeline, view.id) + ": pod " + pod.name +
                               ": the old credentials stay in use: ",
                      .words = std::move(words)};
    }
  }
  return std::nullopt;
}

bool reports_missing_topic(const std::vector<ComponentView>& components, const Reports& reports) {
  return std::any_of(components.begin(), components.end(), [&](const ComponentView& view) {
    if (!speaks_kafka(view)) return false;
    const auto topic = topic_obstacle("", view, reports);
    const auto produce = produce_obstacle("", view, reports);
    return (topic && topic->blocks && topic->reason == kMissing) ||
           (produce && produce->blocks && produce->reason == kMissing);
  });
}

std::vector<std::string> reported_weaknesses(const std::vector<ComponentView>& components,
                                             const Reports& reports) {
  std::set<std::string> all;
  for (const ComponentView& view : components) {
    if (!speaks_kafka(view)) continue;
    for (const PodView& pod : view.pods) {
      if (const StatuszReport* report = report_of(pod, reports); report != nullptr)
        all.insert(report->weaknesses.begin(), report->weaknesses.end());
    }
  }
  std::vector<std::string> out(all.begin(), all.end());
  if (out.size() > kWeaknessesMax) out.resize(kWeaknessesMax);
  return out;
}

}  // namespace spanway::decide
