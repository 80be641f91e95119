#include "operator/render/storage_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kContainer[] = "spec/template/spec/containers/0/";
constexpr char kRun[] = "spec/jobTemplate/spec/";

// The file that the pods of a Job mount.
std::string file_of(const Rendering& rendering, const Json& pods) {
  const auto files = of_kind(rendering, kube::kConfigMaps);
  return kube::string_at(files.at(kube::string_at(pods, "spec/volumes/0/configMap/name")),
                         "data/config.yaml");
}

TEST(MigrateJob, IsThereForEachClickHouseThatIsNotManagedElsewhere) {
  EXPECT_THAT(rendered(quickstart()).migrate_jobs, IsEmpty());
  api::Pipeline pipeline = sample("storage");
  const Rendering rendering = rendered(pipeline);
  ASSERT_EQ(rendering.migrate_jobs.size(), 1u);
  EXPECT_EQ(rendering.migrate_jobs[0].exporter, "clickhouse");
  EXPECT_EQ(at(rendering.migrate_jobs[0].job.object, std::string(kContainer) + "args"),
            Json::array({"migrate", "--config", "/etc/spanway/config/config.yaml"}));
  pipeline.spec.exporters[0].destination.clickhouse->migrate.enabled = false;
  EXPECT_THAT(rendered(pipeline).migrate_jobs, IsEmpty());
}

TEST(MigrateJob, ConnectsAsTheUserThatMayChangeTheSchema) {
  api::Pipeline pipeline = sample("storage");
  const Rendering rendering = rendered(pipeline);
  const Json& job = rendering.migrate_jobs[0].job.object;
  const std::string file = file_of(rendering, at(job, "spec/template"));
  EXPECT_THAT(file, HasSubstr("username: owner"));
  EXPECT_THAT(file, HasSubstr("/clickhouse/owner}"));
  EXPECT_THAT(file, Not(HasSubstr("writer")));
  EXPECT_THAT(referenced_keys(pipeline)["clickhouse"], ElementsAre("owner", "reader", "writer"));

  pipeline.spec.exporters[0].destination.clickhouse->migrate = {};
  const Rendering plain = rendered(pipeline);
  EXPECT_THAT(file_of(plain, at(plain.migrate_jobs[0].job.object, "spec/template")),
              HasSubstr("username: \"writer$$\""));
}

TEST(MigrateJob, IsAnotherOneWhenTheSchemaOrItsPlaceIs) {
  api::Pipeline pipeline = sample("storage");
  ClusterFacts facts = sample_facts();
  const auto name = [&] { return render(pipeline, facts).migrate_jobs.at(0).job.key().name; };
  const std::string before = name();
  std::set<std::string> names = {before};

  pipeline.spec.exporters[0].replicas = 7;
  pipeline.spec.exporters[0].config = {{"otlp", {{"message_bytes_max", "32MiB"}}}};
  facts.secret_identities["query-tls"] = "other";
  EXPECT_EQ(name(), before) << "nothing to do with the tables";

  facts.version = "0.2.0";
  EXPECT_TRUE(names.insert(name()).second) << "the image has the schema";
  pipeline.spec.exporters[0].destination.clickhouse->database = "other";
  EXPECT_TRUE(names.insert(name()).second);
  facts.secret_identities["clickhouse"] = "uid-of-clickhouse/2";
  EXPECT_TRUE(names.insert(name()).second);
}

TEST(MigrateJob, EndsByItself) {
  const Json object = rendered(sample("storage")).migrate_jobs[0].job.object;
  EXPECT_EQ(kube::find(object, "spec/ttlSecondsAfterFinished"), nullptr)
      << "it is a part of the status";
  EXPECT_EQ(at(object, "spec/template/spec/restartPolicy"), "Never");
  // A statement may take two minutes, and there are tens of them; the tries and the waits between
  // them end before the deadline.
  EXPECT_GE(kube::int_at(object, "spec/activeDeadlineSeconds"), 1800);
  EXPECT_EQ(at(object, "spec/podFailurePolicy/rules/0/onExitCodes/containerName"),
            at(object, std::string(kContainer) + "name"));
}

TEST(MigrateJob, WaitsForItsSecretAlone) {
  const api::Pipeline pipeline = sample("storage");
  EXPECT_TRUE(migrate_job_uses(pipeline, "clickhouse", {{"clickhouse", {"owner"}}}));
  EXPECT_FALSE(migrate_job_uses(pipeline, "clickhouse", {{"clickhouse", {"writer"}}}));
  EXPECT_FALSE(migrate_job_uses(pipeline, "archive", {{"minio", {"credentials"}}}))
      << "has no migrate Job";
}

TEST(CompactCronJob, IsThereForEachS3) {
  api::Pipeline pipeline = sample("storage");
  const Rendering rendering = rendered(pipeline);
  const Json cron_job = of_kind(rendering, kube::kCronJobs).at("storage-archive-compact");
  EXPECT_EQ(at(cron_job, "spec/schedule"), "5 * * * *");
  EXPECT_EQ(at(cron_job, "spec/concurrencyPolicy"), "Forbid");
  EXPECT_EQ(at(cron_job, std::string(kRun) + "template/spec/containers/0/args"),
            Json::array({"compact", "--days", "3", "--config", "/etc/spanway/config/config.yaml"}));
  EXPECT_THAT(file_of(rendering, at(cron_job, std::string(kRun) + "template")),
              HasSubstr("bucket: telemetry"));
  // A Job with our labels would be one of ours, and be deleted as one that is not desired.
  EXPECT_EQ(kube::find(cron_job, "spec/jobTemplate/metadata"), nullptr);
  // The next run begins an hour later.
  EXPECT_LT(kube::int_at(cron_job, std::string(kRun) + "activeDeadlineSeconds"), 3600);

  pipeline.spec.exporters[1].destination.s3->compact.enabled = false;
  EXPECT_THAT(of_kind(rendered(pipeline), kube::kCronJobs), IsEmpty());
}

TEST(CompactCronJob, RunsAsTheServiceAccountThatMayWriteTheBucket) {
  api::Pipeline pipeline = sample("storage");
  pipeline.spec.exporters[1].pods.service_account_name = "telemetry";
  pipeline.spec.exporters[1].pods.env = {{"AWS_REGION", "eu-central-1"}};
  const Rendering rendering = rendered(pipeline);
  const Json cron_job = of_kind(rendering, kube::kCronJobs).at("storage-archive-compact");
  EXPECT_EQ(at(cron_job, std::string(kRun) + "template/spec/serviceAccountName"), "telemetry");
  EXPECT_THAT(names_of(of_kind(rendering, kube::kServiceAccounts)),
              Not(Contains("storage-archive-compact")));
  const auto variables =
      by_name(at(cron_job, std::string(kRun) + "template/spec/containers/0/env"));
  EXPECT_EQ(kube::string_at(variables.at("AWS_REGION"), "value"), "eu-central-1");
}

TEST(StorageJobs, ReachTheirStoreAndNothingReachesThem) {
  const Rendering rendering = rendered(sample("storage"));
  const auto policies = of_kind(rendering, kube::kNetworkPolicies);
  const auto check = [&](const std::string& name, const Json& labels) {
    const Json& policy = policies.at(name);
    EXPECT_TRUE(selects(at(policy, "spec/podSelector/matchLabels"), labels)) << name;
    EXPECT_THAT(at(policy, "spec/ingress"), IsEmpty()) << name;
    for (const auto& [other, object] : policies)
      EXPECT_EQ(selects(at(object, "spec/podSelector/matchLabels"), labels), other == name)
          << other;
  };
  check("storage-clickhouse-migrate",
        at(rendering.migrate_jobs[0].job.object, "spec/template/metadata/labels"));
  check("storage-archive-compact",
        at(of_kind(rendering, kube::kCronJobs).at("storage-archive-compact"),
           std::string(kRun) + "template/metadata/labels"));
}

}  // namespace
}  // namespace spanway::render
