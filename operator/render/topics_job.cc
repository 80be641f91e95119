#include "operator/render/topics_job.h"

#include "operator/api/yaml.h"
#include "operator/render/pod_template.h"
#include "operator/render/service_config.h"

namespace spanway::render {
namespace {

using Management = api::Topics::Management;

// One try waits for Kafka for a minute, and the Job controller's back-off doubles from 10 s: four
// tries end before the deadline, which would delete the pods and their termination messages. The
// operator then starts another Job.
constexpr int kRetriesMax = 3;
constexpr int kDeadlineSeconds = 600;
constexpr std::size_t kNameMax = 52;
constexpr std::size_t kHashDigits = 8;
// Invalid configuration, and topics weaker than desired: a retry cannot succeed.
constexpr int kExitUsage = 2;
constexpr int kExitWeaker = 3;

std::vector<std::string> command_of(Management management) {
  switch (management) {
    case Management::kNone:
      break;
    case Management::kVerify:
      return {"topics", "verify"};
    case Management::kCreateOnly:
      return {"topics", "apply", "--create-only"};
    case Management::kCreateAndUpdate:
      return {"topics", "apply"};
  }
  return {};
}

Json give_up_on_answers() {
  return {{"rules", Json::array({Json{{"action", "FailJob"},
                                      {"onExitCodes",
                                       {{"containerName", "topics"},
                                        {"operator", "In"},
                                        {"values", Json::array({kExitUsage, kExitWeaker})}}}}})}};
}

}  // namespace

bool has_topics_job(const api::Pipeline& pipeline) {
  return pipeline.spec.kafka.topics.management != Management::kNone;
}

std::string topics_name(const api::Pipeline& pipeline) {
  return shortened(pipeline.name + "-" + kTopicsComponent, kNameMax);
}

Json topics_selector(const Context& context) {
  const Json labels = common_labels(context, kTopicsComponent);
  return {{api::kPipelineLabel, labels[api::kPipelineLabel]},
          {api::kComponentLabel, kTopicsComponent}};
}

std::optional<TopicsJob> topics_job(const Context& context) {
  if (!has_topics_job(context.pipeline)) return std::nullopt;
  const std::string name = topics_name(context.pipeline);
  const Json labels = common_labels(context, kTopicsComponent);
  TopicsJob out;
  out.support.push_back(service_account(context, name, labels));
  out.support.push_back(
      config_map(context, name, api::to_yaml(topics_config(context.pipeline)), labels));

  // As for the producing bridge: the same program with the same connection to Kafka.
  const api::PodTemplate& bridge = context.pipeline.spec.produce.pods;
  Json pods =
      job_template(context, {.component = kTopicsComponent,
                             .labels = labels,
                             .program = Role::kBridge,
                             .command = command_of(context.pipeline.spec.kafka.topics.management),
                             .config_map = out.support.back().key().name,
                             .service_account = name,
                             .mounts = kafka_mounts(context.pipeline),
                             .pods = bridge,
                             .resources = small_job_resources(bridge)});
  const Json force = [&context]() -> Json {
    const auto found = context.pipeline.annotations.find(api::kForceCheckAnnotation);
    return found == context.pipeline.annotations.end() ? Json() : Json(found->second);
  }();
  // A Job's template is immutable: a changed one gets another name.
  const std::string hash =
      kube::fingerprint(
          Json{{"template", pods},
               {"secrets", secret_identity(context.facts, kafka_mounts(context.pipeline))},
               {"force", force}})
          .substr(0, kHashDigits);
  out.job = make_manifest(context, kube::kJobs, name + "-" + hash, labels);
  out.job.object["spec"] = {{"backoffLimit", kRetriesMax},
                            {"activeDeadlineSeconds", kDeadlineSeconds},
                            {"podFailurePolicy", give_up_on_answers()},
                            {"template", std::move(pods)}};
  return out;
}

}  // namespace spanway::render
