#include "operator/render/secret_mounts.h"

#include <algorithm>
#include <optional>
#include <set>

#include "operator/api/destination_fields.h"
#include "operator/render/query_store.h"
#include "operator/render/storage_jobs.h"

namespace spanway::render {
namespace {

constexpr char kSecretsFolder[] = "/etc/spanway/secrets/";

class Mounts {
 public:
  void add(const std::string& secret, const std::vector<std::string>& keys,
           const std::string& folder, bool reloaded) {
    if (secret.empty()) return;
    const auto found = std::find_if(mounts_.begin(), mounts_.end(), [&folder](const auto& mount) {
      return mount.folder == folder;
    });
    SecretMount& mount = found != mounts_.end()
                             ? *found
                             : mounts_.emplace_back(SecretMount{secret, {}, folder, true});
    mount.keys.insert(mount.keys.end(), keys.begin(), keys.end());
    mount.reloaded = mount.reloaded && reloaded;
  }
  void add(const api::SecretKey& key, bool reloaded) {
    add(key.name, {key.key}, kSecretsFolder + key.name, reloaded);
  }
  std::vector<SecretMount> take() {
    for (SecretMount& mount : mounts_) {
      std::sort(mount.keys.begin(), mount.keys.end());
      mount.keys.erase(std::unique(mount.keys.begin(), mount.keys.end()), mount.keys.end());
    }
    std::sort(mounts_.begin(), mounts_.end(),
              [](const SecretMount& a, const SecretMount& b) { return a.folder < b.folder; });
    return std::move(mounts_);
  }

 private:
  std::vector<SecretMount> mounts_;
};

const std::vector<std::string> kCertificateKeys = {"tls.crt", "tls.key"};

// Ingress and query watch their certificates, tokens and passwords.
void add_listener(const std::optional<api::IngressTls>& tls, const api::IngressAuth& auth,
                  Mounts& mounts) {
  if (tls) {
    mounts.add(tls->secret_name, kCertificateKeys, kServerTlsFolder, true);
    mounts.add(tls->client_ca_secret_name, {"ca.crt"}, kClientCaFolder, true);
  }
  if (auth.mode == api::IngressAuth::Mode::kBearer) {
    for (const api::IngressToken& token : auth.tokens) mounts.add(token.secret, true);
  }
  if (auth.mode == api::IngressAuth::Mode::kBasic) {
    for (const api::IngressUser& user : auth.users) mounts.add(user.password, true);
  }
}

// librdkafka reads its files once, when a client is created.
void add_kafka(const api::Kafka& kafka, Mounts& mounts) {
  if (kafka.tls.enabled) {
    mounts.add(kafka.tls.ca_secret_name, {kafka.tls.ca_key}, kKafkaCaFolder, false);
    mounts.add(kafka.tls.client_certificate_secret_name, kCertificateKeys, kKafkaClientFolder,
               false);
  }
  if (kafka.authentication.type != api::KafkaAuthentication::Type::kNone)
    mounts.add(kafka.authentication.password, false);
}

// Clients watch their TLS files; headers are read with the configuration at the start.
void add_destination(const api::Destination& destination, Mounts& mounts) {
  mounts.add(destination.tls.ca_secret_name, {"ca.crt"}, kDestinationCaFolder, true);
  mounts.add(destination.tls.client_certificate_secret_name, kCertificateKeys,
             kDestinationClientFolder, true);
  for (const api::Header& header : destination.headers) {
    if (header.secret) mounts.add(*header.secret, false);
  }
  if (destination.basic_auth) mounts.add(destination.basic_auth->password, false);
  if (!destination.bearer_token.name.empty()) mounts.add(destination.bearer_token, false);
  for (const auto& [key, value] : api::section_values(destination))
    if (value.secret != nullptr) mounts.add(*value.secret, value.form == api::SecretForm::kPath);
}

// Its client of the store reads its files once.
void add_query(const api::Pipeline& pipeline, Mounts& mounts) {
  const api::Query& query = *pipeline.spec.query;
  add_listener(query.tls, query.auth, mounts);
  const api::ClickHouseStore store = store_of(pipeline);
  if (!store.password.name.empty()) mounts.add(store.password, false);
  if (!store.tls) return;
  mounts.add(store.tls->ca_secret_name, {"ca.crt"}, kDestinationCaFolder, false);
  mounts.add(store.tls->client_certificate_secret_name, kCertificateKeys, kDestinationClientFolder,
             false);
}

bool any_uses(const std::vector<SecretMount>& mounts, const SecretKeys& secrets) {
  return std::any_of(mounts.begin(), mounts.end(), [&](const SecretMount& mount) {
    const auto found = secrets.find(mount.secret);
    if (found == secrets.end()) return false;
    const std::set<std::string>& keys = found->second;
    return keys.empty() || std::any_of(mount.keys.begin(), mount.keys.end(),
                                       [&](const auto& key) { return keys.contains(key); });
  });
}

}  // namespace

std::vector<SecretMount> secret_mounts(const api::Pipeline& pipeline, const ComponentSpec& spec) {
  Mounts mounts;
  switch (spec.id.role) {
    case Role::kIngress:
      add_listener(pipeline.spec.ingress.tls, pipeline.spec.ingress.auth, mounts);
      break;
    case Role::kBridge:
    case Role::kConsumer:
      add_kafka(pipeline.spec.kafka, mounts);
      break;
    case Role::kExporter:
      add_destination(spec.exporter->destination, mounts);
      break;
    case Role::kQuery:
      add_query(pipeline, mounts);
      break;
  }
  return mounts.take();
}

std::vector<SecretMount> storage_job_mounts(const api::Destination& destination) {
  Mounts mounts;
  api::Destination used = destination;
  used.headers.clear();
  if (used.clickhouse && !used.clickhouse->migrate.username.empty())
    used.clickhouse->password = used.clickhouse->migrate.password;
  add_destination(used, mounts);
  return mounts.take();
}

std::vector<SecretMount> kafka_mounts(const api::Pipeline& pipeline) {
  Mounts mounts;
  add_kafka(pipeline.spec.kafka, mounts);
  return mounts.take();
}

std::string secret_file(const api::SecretKey& key) {
  return kSecretsFolder + key.name + "/" + key.key;
}

std::string secret_content(const api::SecretKey& key) { return "${file:" + secret_file(key) + "}"; }

std::set<ComponentId> components_with(const api::Pipeline& pipeline, const SecretKeys& secrets) {
  std::set<ComponentId> out;
  for (const ComponentSpec& spec : component_specs(pipeline))
    if (any_uses(secret_mounts(pipeline, spec), secrets)) out.insert(spec.id);
  return out;
}

bool topics_job_uses(const api::Pipeline& pipeline, const SecretKeys& secrets) {
  return any_uses(kafka_mounts(pipeline), secrets);
}

bool migrate_job_uses(const api::Pipeline& pipeline, const std::string& exporter,
                      const SecretKeys& secrets) {
  for (const StorageJob& job : storage_job_list(pipeline))
    if (job.component == kMigrateComponent && job.exporter->name == exporter)
      return any_uses(job.mounts, secrets);
  return false;
}

SecretKeys referenced_keys(const api::Pipeline& pipeline) {
  SecretKeys out;
  for (const StorageJob& job : storage_job_list(pipeline)) {
    for (const SecretMount& mount : job.mounts)
      out[mount.secret].insert(mount.keys.begin(), mount.keys.end());
  }
  for (const ComponentSpec& spec : component_specs(pipeline)) {
    for (const SecretMount& mount : secret_mounts(pipeline, spec))
      out[mount.secret].insert(mount.keys.begin(), mount.keys.end());
  }
  return out;
}

std::vector<std::string> referenced_secrets(const api::Pipeline& pipeline) {
  std::set<std::string> names;
  for (const StorageJob& job : storage_job_list(pipeline))
    for (const SecretMount& mount : job.mounts) names.insert(mount.secret);
  for (const ComponentSpec& spec : component_specs(pipeline)) {
    for (const SecretMount& mount : secret_mounts(pipeline, spec)) names.insert(mount.secret);
  }
  return {names.begin(), names.end()};
}

}  // namespace spanway::render
