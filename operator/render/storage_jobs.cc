#include "operator/render/storage_jobs.h"

#include "operator/api/yaml.h"
#include "operator/render/pod_template.h"
#include "operator/render/secret_mounts.h"
#include "operator/render/service_config.h"

namespace spanway::render {
namespace {

// As of the topics Job: four tries end before the deadline, which would delete the pods and their
// termination messages. The operator then starts another Job.
constexpr int kMigrateRetriesMax = 3;
constexpr int kMigrateDeadlineSeconds = 1800;
// An hour's run must have ended when the next one is due.
constexpr int kCompactRetriesMax = 1;
constexpr int kCompactDeadlineSeconds = 3300;
// A run that could not be started in time, because the controller manager was down, is left out.
constexpr int kCompactStartSeconds = 600;
constexpr int kHistory = 1;
constexpr std::size_t kNameMax = 52;
constexpr std::size_t kHashDigits = 8;
// Invalid usage, and what only a changed setting fixes: a retry cannot succeed.
constexpr int kExitUsage = 2;
constexpr int kExitConfiguration = 3;

using Type = sinks::DestinationType;

bool migrates(const api::Destination& destination) {
  return destination.type == Type::kClickHouse &&
         destination.clickhouse.value_or(api::ClickHouseDestination{}).migrate.enabled;
}

bool compacts(const api::Destination& destination) {
  return destination.type == Type::kS3 && destination.s3 && destination.s3->compact.enabled;
}

std::string job_name(const api::Pipeline& pipeline, const api::Exporter& exporter,
                     const char* component) {
  const std::string object = object_name(pipeline.name, {Role::kExporter, exporter.name});
  return shortened(object + "-" + component, kNameMax);
}

Json give_up_on_answers(const std::string& container) {
  return {{"rules",
           Json::array({Json{{"action", "FailJob"},
                             {"onExitCodes",
                              {{"containerName", container},
                               {"operator", "In"},
                               {"values", Json::array({kExitUsage, kExitConfiguration})}}}}})}};
}

Json compact_resources(const api::S3Destination::Compact& compact) {
  if (compact.resources.is_object()) return compact.resources;
  return {{"requests", {{"cpu", "100m"}, {"memory", "256Mi"}}}, {"limits", {{"memory", "1Gi"}}}};
}

// The exporter's destination; migrations have a user of their own, which may change the schema.
Json file_of(const api::Pipeline& pipeline, const StorageJob& job) {
  Json config = storage_config(pipeline, *job.exporter);
  const api::Destination& destination = job.exporter->destination;
  if (job.component != kMigrateComponent || !destination.clickhouse) return config;
  const auto& migrate = destination.clickhouse->migrate;
  if (migrate.username.empty()) return config;
  Json& section = config["destination"][std::string(sinks::to_string(destination.type))];
  section["username"] = literal(migrate.username);
  section.erase("password");
  if (!migrate.password.name.empty()) section["password"] = secret_content(migrate.password);
  return config;
}

class Jobs {
 public:
  explicit Jobs(const Context& context) : context_(context) {}

  void add(const StorageJob& job) {
    const Json labels = storage_job_labels(context_, job);
    Manifest file =
        config_map(context_, job.name, api::to_yaml(file_of(context_.pipeline, job)), labels);
    // Web identity belongs to a ServiceAccount.
    const std::string& account = job.exporter->pods.service_account_name;
    if (account.empty()) out_.support.push_back(service_account(context_, job.name, labels));
    const std::string account_name = account.empty() ? job.name : account;
    if (job.component == kMigrateComponent) {
      add_migrate(job, labels, file.key().name, account_name);
    } else {
      add_compact(job, labels, file.key().name, account_name);
    }
    out_.support.push_back(std::move(file));
  }
  StorageJobs take() { return std::move(out_); }

 private:
  Json pods_of(const StorageJob& job, const std::string& file, const std::string& account,
               std::vector<std::string> command, Json resources) const {
    return job_template(context_, {.component = job.component,
                                   .labels = storage_job_labels(context_, job),
                                   .program = Role::kExporter,
                                   .command = std::move(command),
                                   .config_map = file,
                                   .service_account = account,
                                   .mounts = job.mounts,
                                   .pods = job.exporter->pods,
                                   .with_env = true,
                                   .resources = std::move(resources)});
  }

  void add_migrate(const StorageJob& job, const Json& labels, const std::string& file,
                   const std::string& account) {
    Json pods = pods_of(job, file, account, {"migrate"}, small_job_resources(job.exporter->pods));
    // The image has the schema: another one is another Job.
    const std::string hash =
        kube::fingerprint(
            Json{{"template", pods}, {"secrets", secret_identity(context_.facts, job.mounts)}})
            .substr(0, kHashDigits);
    Manifest manifest = make_manifest(context_, kube::kJobs, job.name + "-" + hash, labels);
    manifest.object["spec"] = {{"backoffLimit", kMigrateRetriesMax},
                               {"activeDeadlineSeconds", kMigrateDeadlineSeconds},
                               {"podFailurePolicy", give_up_on_answers(job.component)},
                               {"template", std::move(pods)}};
    out_.migrate.push_back({job.exporter->name, std::move(manifest)});
  }

  void add_compact(const StorageJob& job, const Json& labels, const std::string& file,
                   const std::string& account) {
    const api::S3Destination::Compact& compact = job.exporter->destination.s3->compact;
    Manifest manifest = make_manifest(context_, kube::kCronJobs, job.name, labels);
    // The Jobs have no labels of ours: they belong to the CronJob, and the operator deletes none.
    Json run = {{"backoffLimit", kCompactRetriesMax},
                {"activeDeadlineSeconds", kCompactDeadlineSeconds},
                {"podFailurePolicy", give_up_on_answers(job.component)},
                {"template",
                 pods_of(job, file, account, {"compact", "--days", std::to_string(compact.days)},
                         compact_resources(compact))}};
    manifest.object["spec"] = {{"schedule", compact.schedule},
                               {"concurrencyPolicy", "Forbid"},
                               {"startingDeadlineSeconds", kCompactStartSeconds},
                               {"successfulJobsHistoryLimit", kHistory},
                               {"failedJobsHistoryLimit", kHistory},
                               {"jobTemplate", {{"spec", std::move(run)}}}};
    out_.support.push_back(std::move(manifest));
  }

  const Context& context_;
  StorageJobs out_;
};

}  // namespace

std::vector<StorageJob> storage_job_list(const api::Pipeline& pipeline) {
  std::vector<StorageJob> jobs;
  for (const api::Exporter& exporter : pipeline.spec.exporters) {
    const bool is_migration = migrates(exporter.destination);
    if (!is_migration && !compacts(exporter.destination)) continue;
    const char* component = is_migration ? kMigrateComponent : kCompactComponent;
    jobs.push_back({component, &exporter, job_name(pipeline, exporter, component),
                    storage_job_mounts(exporter.destination)});
  }
  return jobs;
}

Json storage_job_labels(const Context& context, const StorageJob& job) {
  Json labels = common_labels(context, job.component);
  labels[api::kExporterLabel] = job.exporter->name;
  return labels;
}

Json storage_job_selector(const Context& context, const StorageJob& job) {
  const Json labels = common_labels(context, job.component);
  return {{api::kPipelineLabel, labels[api::kPipelineLabel]},
          {api::kComponentLabel, job.component},
          {api::kExporterLabel, job.exporter->name}};
}

StorageJobs storage_jobs(const Context& context) {
  Jobs jobs(context);
  for (const StorageJob& job : storage_job_list(context.pipeline)) jobs.add(job);
  return jobs.take();
}

}  // namespace spanway::render
