// The Jobs of what exporters store: `migrate` for the tables of a ClickHouse, `compact` for the
// objects of an S3. The operator itself never connects to either.
#pragma once

#include <string>
#include <vector>

#include "operator/render/object_parts.h"
#include "operator/render/secret_mounts.h"

namespace spanway::render {

inline constexpr char kMigrateComponent[] = "migrate";
inline constexpr char kCompactComponent[] = "compact";

struct StorageJobs {
  std::vector<Manifest> support;  // ServiceAccounts, ConfigMaps, CronJobs: applied at any time.
  std::vector<MigrateJob> migrate;
};
StorageJobs storage_jobs(const Context& context);

// A Job of one exporter: what it is called, and what selects its pods.
struct StorageJob {
  std::string component;  // kMigrateComponent or kCompactComponent.
  const api::Exporter* exporter = nullptr;
  std::string name;  // ServiceAccount, NetworkPolicy and CronJob have it.
  std::vector<SecretMount> mounts;
};
std::vector<StorageJob> storage_job_list(const api::Pipeline& pipeline);
Json storage_job_labels(const Context& context, const StorageJob& job);
Json storage_job_selector(const Context& context, const StorageJob& job);

}  // namespace spanway::render
