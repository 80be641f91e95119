#include <algorithm>
#include <map>
#include <set>

#include "operator/render/config_overlay.h"
#include "operator/render/environment_names.h"
#include "operator/render/memory_shares.h"
#include "operator/render/pod_template.h"
#include "operator/render/service_config.h"
#include "operator/render/topics_job.h"
#include "operator/render/yaml_writer.h"
#include "services/exporter/config.h"
#include "services/ingress/config.h"
#include "services/kafka-bridge/config.h"
#include "services/lib/config/load.h"
#include "services/lib/config/scalar.h"
#include "services/lib/runtime/runtime_config.h"

namespace spanway::render {
namespace {

using config::Problems;

constexpr std::size_t kPipelineNameMax = 63;  // It is a label's value.

// Each problem once: several components share the Kafka section.
class Findings {
 public:
  explicit Findings(Problems& problems) : problems_(problems) {}
  void add(const std::string& path, const std::string& message) {
    if (seen_.emplace(path, message).second) problems_.add(path, message);
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
      to_yaml(file), "", nothing,
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
    // Where the field does not say which setting is meant, the message does.
    const bool is_vague = field == spec.field || field.ends_with(".memory");
    findings.add(field, is_vague && !problem.path.empty() ? problem.path + " " + problem.message
                                                          : problem.message);
  }
}

void check_memory(const ComponentSpec& spec, config::ByteSize budget, Findings& findings) {
  const std::uint64_t container = container_memory(spec);
  if (budget.bytes + kProcessMemory <= container) return;
  findings.add(spec.field + ".template.resources.limits.memory",
               "is " + config::format_size({container}) + ", but memory_limit (" +
                   config::format_size(budget) + ") and " + config::format_size({kProcessMemory}) +
                   " for the process must fit");
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

// Without a request there is nothing that a utilization could be a part of.
void check_autoscaling(const ComponentSpec& spec, Findings& findings) {
  if (spec.cpu_autoscaling == nullptr || !spec.cpu_autoscaling->has_value()) return;
  const Json resources = container_resources(spec);
  if (kube::find(resources, "requests/cpu") == nullptr &&
      kube::find(resources, "limits/cpu") == nullptr)
    findings.add(spec.field + ".template.resources.requests.cpu",
                 "is needed by " + spec.field + ".autoscaling");
}

void check_file_destination(const ComponentSpec& spec, Findings& findings) {
  const api::Destination& destination = spec.exporter->destination;
  if (destination.type != api::Destination::Type::kFile) return;
  const std::string folder = std::string(kDataFolder) + "/";
  if (!destination.endpoint.starts_with(folder) ||
      destination.endpoint.find("/../") != std::string::npos)
    findings.add(spec.field + ".destination.endpoint",
                 "must be a file below " + folder + ", which is all that the pod can write");
}

// What the ingress lets in, the bridge must not refuse: the client could do nothing about it.
void check_limits_agree(const ComponentSpec& bridge, const ingress::LimitsConfig& in,
                        const kafka_bridge::LimitsConfig& out, Findings& findings) {
  const auto check = [&](const char* key, std::uint64_t wanted, std::uint64_t allowed) {
    if (wanted <= allowed) return;
    findings.add(bridge.field + ".config.limits." + key,
                 "is lower than in spec.ingress: the bridge would refuse what the ingress takes");
  };
  check("body_bytes_max", in.body_bytes_max.bytes, out.body_bytes_max.bytes);
  check("item_bytes_max", in.item_bytes_max.bytes, out.item_bytes_max.bytes);
  check("prefix_bytes_max", in.prefix_bytes_max.bytes, out.prefix_bytes_max.bytes);
  check("value_depth_max", static_cast<std::uint64_t>(in.value_depth_max),
        static_cast<std::uint64_t>(out.value_depth_max));
  check("submessages_max", static_cast<std::uint64_t>(in.submessages_max),
        static_cast<std::uint64_t>(out.submessages_max));
}

// Services are DNS labels that begin with a letter; a Pipeline may be called otherwise.
bool makes_service_names(const std::string& name) {
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' && name.back() != '-' &&
         name.size() <= kPipelineNameMax && std::all_of(name.begin(), name.end(), is_good);
}

void check_names(const api::Pipeline& pipeline, const std::vector<ComponentSpec>& specs,
                 Findings& findings) {
  if (!makes_service_names(pipeline.name))
    findings.add("metadata.name",
                 "must begin with a letter and have lower-case letters, digits and '-' only, at "
                 "most 63: Services are named after it");
  std::map<std::string, std::string> taken = {
      {topics_name(pipeline), "the topics' Job"},
      {object_name(pipeline.name, {Role::kIngress, ""}) + "-admin", "spec.ingress"}};
  // The two without a name of the user's choice come last.
  for (auto spec = specs.rbegin(); spec != specs.rend(); ++spec) {
    for (const std::string& name : {spec->object, spec->object + "-canary"}) {
      const auto [other, is_new] = taken.emplace(name, spec->field);
      if (is_new || spec->exporter == nullptr) continue;
      findings.add("spec.exporters[" + spec->id.exporter + "].name",
                   "would give objects the name " + name + ", which belongs to " + other->second +
                       "; choose another one");
    }
  }
}

class Check {
 public:
  Check(const api::Pipeline& pipeline, Problems& problems)
      : pipeline_(pipeline), problems_(problems), findings_(problems) {}

  void run() {
    const std::vector<ComponentSpec> specs = component_specs(pipeline_);
    check_names(pipeline_, specs, findings_);
    for (const ComponentSpec& spec : specs) check_component(spec);
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
        check_file_destination(spec, findings_);
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
  Problems& problems_;
  Findings findings_;
  ingress::IngressConfig ingress_;
  kafka_bridge::BridgeConfig bridge_;
  bool ingress_is_good_ = false;
  bool bridge_is_good_ = false;
};

}  // namespace

void check_configs(const api::Pipeline& pipeline, config::Problems& problems) {
  Check(pipeline, problems).run();
}

}  // namespace spanway::render
