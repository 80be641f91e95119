#include <set>

#include "operator/api/yaml.h"
#include "operator/render/config_overlay.h"
#include "operator/render/environment_names.h"
#include "operator/render/file_volume.h"
#include "operator/render/memory_shares.h"
#include "operator/render/network_policies.h"
#include "operator/render/private_networks.h"
#include "operator/render/service_config.h"
#include "operator/render/topics_job.h"
#include "services/exporter/config.h"
#include "services/ingress/config.h"
#include "services/kafka-bridge/config.h"
#include "services/lib/config/load.h"
#include "services/lib/config/scalar.h"
#include "services/lib/runtime/runtime_config.h"
#include "services/query/config.h"

namespace spanway::render {
namespace {

using config::Problems;

constexpr std::size_t kProblemsMax = 100;
constexpr char kPublicOnly[] =
    "; this operator lets exporters send to public addresses only (deny_private_endpoints)";

// Each problem once, because several components share the Kafka section; at most a hundred.
class Findings {
 public:
  explicit Findings(Problems& problems) : problems_(problems) {}
  bool is_full() const { return problems_.all().size() >= kProblemsMax; }
  void add(const std::string& path, const std::string& message) {
    if (!is_full() && seen_.emplace(path, message).second) problems_.add(path, message);
  }

 private:
  Problems& problems_;
  std::set<std::pair<std::string, std::string>> seen_;
};

// Loads a file as the service does at its start, but reads neither environment nor files.
template <typename Config>
config::LoadReport load_as(const Json& file, Config& config) {
  runtime::RuntimeConfig runtime;
  config::Sources nothing;
  nothing.resolve_nothing = true;
  return config::load(
      api::to_yaml(file), "", nothing,
      [&](config::Binder& b) {
        describe(b, config);
        describe(b, runtime);
      },
      [&](Problems& problems) {
        validate(config, problems);
        validate(runtime, problems);
      });
}

void report(const api::Pipeline& pipeline, const ComponentSpec& spec,
            const config::LoadReport& loaded, Findings& findings) {
  for (const config::Problem& problem : loaded.problems.all()) {
    const std::string field = field_of(pipeline, spec, problem.path);
    // The message names the setting when the field does not.
    const bool is_vague = field == spec.field || field.ends_with(".memory");
    findings.add(field, is_vague && !problem.path.empty() ? problem.path + " " + problem.message
                                                          : problem.message);
  }
}

void check_memory(const ComponentSpec& spec, config::ByteSize limit, Findings& findings) {
  const std::uint64_t container = container_memory(spec);
  if (limit.bytes <= container) return;
  findings.add(spec.field + ".template.resources.limits.memory",
               "is " + config::format_size({container}) + ", but the service needs " +
                   config::format_size(limit) + " at least");
}

void check_shutdown(const ComponentSpec& spec, const Json& file, Findings& findings) {
  const Duration grace = std::chrono::seconds(spec.pods->termination_grace_period_seconds);
  if (grace == Duration::zero() || grace >= shutdown_time(file)) return;
  findings.add(spec.field + ".template.terminationGracePeriodSeconds",
               "must be at least " + config::format_duration(shutdown_time(file)) +
                   ": runtime.shutdown_delay, runtime.drain_timeout and 5s to leave");
}

void check_environment(const ComponentSpec& spec, Findings& findings) {
  for (const auto& [name, value] : spec.pods->env) {
    if (sets_service_key(spec.id.role, name))
      findings.add(spec.field + ".template.env[" + name + "]",
                   "would override the configuration file; use " + spec.field + ".config");
  }
}

// Utilization is relative to the request.
void check_autoscaling(const ComponentSpec& spec, Findings& findings) {
  if (spec.cpu_autoscaling == nullptr || !spec.cpu_autoscaling->has_value()) return;
  const Json resources = container_resources(spec);
  if (kube::find(resources, "requests/cpu") == nullptr &&
      kube::find(resources, "limits/cpu") == nullptr)
    findings.add(spec.field + ".template.resources.requests.cpu",
                 "is needed by " + spec.field + ".autoscaling");
}

// The volume's size is the bound of all files together.
void check_file_volume(const ComponentSpec& spec, const Json& file, Findings& findings) {
  if (spec.exporter->destination.type != api::Destination::Type::kFile) return;
  if (!file_volume_bytes(file))
    findings.add(spec.field + ".config.destination.file.rotate.bytes_max",
                 "must not be 0: the pod would be evicted when its volume is full");
}

bool knows_tenants(const api::Pipeline& pipeline) {
  const api::IngressTenant& tenant = pipeline.spec.ingress.tenant;
  return tenant.from != api::IngressTenant::From::kNone || !tenant.default_tenant.empty();
}

// Pods forward the tenant in a header, which is trustworthy only where no other client can connect.
void check_shield(const api::Pipeline& pipeline, Findings& findings) {
  if (!knows_tenants(pipeline) || !pipeline.spec.network_policy.enabled) return;
  for (const int port : {kBridgePort, kExporterPort}) {
    if (!is_shielded(pipeline, port))
      findings.add("spec.networkPolicy.extraIngress",
                   "opens port " + std::to_string(port) +
                       ", where other clients could name any tenant: list other `ports`");
  }
}

// Endpoints of exporters on a cluster with deny_private_endpoints.
void check_endpoints(const api::Pipeline& pipeline, const ComponentSpec& spec, const Json& file,
                     Findings& findings) {
  const std::string type(sinks::to_string(spec.exporter->destination.type));
  const Json* section = kube::find(file, "destination/" + type);
  if (section == nullptr || !section->is_object()) return;
  for (const auto& [key, value] : section->items()) {
    if (!key.ends_with("endpoint") || !value.is_string()) continue;
    const Classification classified = classify_endpoint(value.get_ref<const std::string&>());
    if (classified.reach != Reach::kPublic)
      findings.add(field_of(pipeline, spec, "destination." + type + "." + key),
                   classified.why + kPublicOnly);
  }
}

void check_store(const api::Pipeline& pipeline, const ComponentSpec& spec, const Json& file,
                 Findings& findings) {
  const Classification classified =
      classify_endpoint(kube::string_at(file, "stores/clickhouse/endpoint"));
  if (classified.reach != Reach::kPublic)
    findings.add(field_of(pipeline, spec, "stores.clickhouse.endpoint"),
                 classified.why + kPublicOnly);
}

void check_outgoing(const api::Pipeline& pipeline, Findings& findings) {
  const api::NetworkPolicy& policy = pipeline.spec.network_policy;
  if (!policy.enabled)
    findings.add("spec.networkPolicy.enabled", std::string("must be true") + kPublicOnly);
  if (policy.extra_egress.is_array() && !policy.extra_egress.empty())
    findings.add("spec.networkPolicy.extraEgress", std::string("must be empty") + kPublicOnly);
  for (const std::string& broker : config::split_list(pipeline.spec.kafka.bootstrap_servers)) {
    const Classification classified = classify_endpoint(broker);
    if (classified.reach == Reach::kLocal || classified.reach == Reach::kUnclear)
      findings.add("spec.kafka.bootstrapServers", classified.why);
  }
}

// The bridge must not refuse what the ingress accepts: the client could not fix it.
void check_limits_agree(const ComponentSpec& bridge, const ingress::LimitsConfig& in,
                        const kafka_bridge::LimitsConfig& out, Findings& findings) {
  const auto check = [&](const char* key, std::uint64_t accepted, std::uint64_t allowed) {
    if (accepted <= allowed) return;
    findings.add(bridge.field + ".config.limits." + key,
                 "is lower than in spec.ingress: the bridge would refuse what the ingress accepts");
  };
  check("body_bytes_max", in.body_bytes_max.bytes, out.body_bytes_max.bytes);
  check("item_bytes_max", in.item_bytes_max.bytes, out.item_bytes_max.bytes);
  check("prefix_bytes_max", in.prefix_bytes_max.bytes, out.prefix_bytes_max.bytes);
  check("value_depth_max", static_cast<std::uint64_t>(in.value_depth_max),
        static_cast<std::uint64_t>(out.value_depth_max));
  check("submessages_max", static_cast<std::uint64_t>(in.submessages_max),
        static_cast<std::uint64_t>(out.submessages_max));
}

class Check {
 public:
  Check(const api::Pipeline& pipeline, const ClusterFacts& facts, Problems& problems)
      : pipeline_(pipeline), facts_(facts), problems_(problems), findings_(problems) {}

  void run() {
    const std::vector<ComponentSpec> specs = component_specs(pipeline_);
    check_shield(pipeline_, findings_);
    if (facts_.deny_private_endpoints) check_outgoing(pipeline_, findings_);
    for (const ComponentSpec& spec : specs) {
      if (findings_.is_full()) return;
      check_component(spec);
    }
    check_topics(component_spec(pipeline_, {Role::kBridge, ""}));
    if (ingress_is_good_ && bridge_is_good_)
      check_limits_agree(component_spec(pipeline_, {Role::kBridge, ""}), ingress_.limits,
                         bridge_.limits, findings_);
  }

 private:
  void check_component(const ComponentSpec& spec) {
    check_overlay(spec, problems_);
    check_environment(spec, findings_);
    check_autoscaling(spec, findings_);
    const Json file = service_config(pipeline_, spec);
    check_shutdown(spec, file, findings_);
    switch (spec.id.role) {
      case Role::kIngress:
        ingress_is_good_ = load(spec, file, ingress_);
        if (ingress_is_good_) check_memory(spec, ingress_.memory_limit, findings_);
        break;
      case Role::kBridge:
        bridge_is_good_ = load(spec, file, bridge_);
        break;
      case Role::kConsumer: {
        kafka_bridge::BridgeConfig consumer;
        load(spec, file, consumer);
        break;
      }
      case Role::kExporter: {
        exporter::ExporterConfig exporter;
        if (load(spec, file, exporter)) check_memory(spec, exporter.memory_limit, findings_);
        check_file_volume(spec, file, findings_);
        if (facts_.deny_private_endpoints) check_endpoints(pipeline_, spec, file, findings_);
        break;
      }
      case Role::kQuery: {
        query::QueryConfig query;
        if (load(spec, file, query)) check_memory(spec, query.memory_limit, findings_);
        if (facts_.deny_private_endpoints) check_store(pipeline_, spec, file, findings_);
        break;
      }
    }
  }

  template <typename Config>
  bool load(const ComponentSpec& spec, const Json& file, Config& config) {
    const config::LoadReport loaded = load_as(file, config);
    report(pipeline_, spec, loaded, findings_);
    return loaded.problems.empty();
  }

  // The same Kafka section as the bridge's, and the settings of topics.
  void check_topics(const ComponentSpec& bridge) {
    if (!has_topics_job(pipeline_)) return;
    kafka_bridge::BridgeConfig topics;
    load(bridge, topics_config(pipeline_), topics);
  }

  const api::Pipeline& pipeline_;
  const ClusterFacts& facts_;
  Problems& problems_;
  Findings findings_;
  ingress::IngressConfig ingress_;
  kafka_bridge::BridgeConfig bridge_;
  bool ingress_is_good_ = false;
  bool bridge_is_good_ = false;
};

}  // namespace

void check_served(const api::Pipeline& pipeline, const ClusterFacts& facts,
                  config::Problems& problems) {
  if (!pipeline.spec.query || !pipeline.spec.query->http_route || facts.serves.http_routes) return;
  problems.add("spec.query.httpRoute",
               "the API server has no HTTPRoutes (" + kube::kHttpRoutes.api_version() +
                   "): install the Gateway API and restart the operator, or use "
                   "spec.query.ingress");
}

void check_configs(const api::Pipeline& pipeline, const ClusterFacts& facts,
                   config::Problems& problems) {
  check_served(pipeline, facts, problems);
  Check(pipeline, facts, problems).run();
}

}  // namespace spanway::render
