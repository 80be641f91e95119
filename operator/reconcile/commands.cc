#include "operator/reconcile/commands.h"

#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <utility>

#include "operator/api/declaration.h"
#include "operator/k8s/access.h"
#include "operator/k8s/rest_client.h"
#include "operator/reconcile/rbac.h"
#include "operator/reconcile/stores.h"
#include "operator/render/plan.h"
#include "operator/render/render.h"
#include "operator/render/yaml_writer.h"
#include "services/lib/config/load.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::reconcile {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr std::size_t kFileBytesMax = 4u << 20;

struct Options {
  std::string file;
  std::string kubeconfig;
  std::string name_space;
  ServiceAccountName account;
};

Result<Options> parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& flag = arguments[i];
    if (i + 1 == arguments.size()) return invalid_argument(flag + " needs a value");
    const std::string& value = arguments[++i];
    if (flag == "-f" || flag == "--file") {
      options.file = value;
    } else if (flag == "--kubeconfig") {
      options.kubeconfig = value;
    } else if (flag == "-n" || flag == "--namespace") {
      options.name_space = value;
    } else if (flag == "--service-account") {
      const std::size_t slash = value.find('/');
      if (slash == std::string::npos || slash == 0 || slash + 1 == value.size())
        return invalid_argument("--service-account is <namespace>/<name>, not " + value);
      options.account = {value.substr(0, slash), value.substr(slash + 1)};
    } else {
      return invalid_argument("unknown argument " + flag);
    }
  }
  if (options.file.empty()) return invalid_argument("-f FILE is missing; - is standard input");
  return options;
}

// The Pipelines of a file; other kinds are left alone.
Result<std::vector<Json>> read_pipelines(const Options& options, const CommandContext& context) {
  SPANWAY_ASSIGN(const std::string text, context.read_file(options.file));
  SPANWAY_ASSIGN(std::vector<Json> documents, api::parse_yaml(text, options.file));
  std::vector<Json> pipelines;
  for (Json& document : documents) {
    if (kube::string_at(document, "kind") != kube::kPipelines.kind) continue;
    if (!options.name_space.empty()) document["metadata"]["namespace"] = options.name_space;
    if (kube::string_at(document, "metadata/namespace").empty())
      document["metadata"]["namespace"] = "default";
    pipelines.push_back(std::move(document));
  }
  if (pipelines.empty()) return invalid_argument(options.file + ": no Pipeline in this file");
  return pipelines;
}

render::ClusterFacts offline_facts(const OperatorSettings& settings) {
  render::ClusterFacts facts;
  facts.version = SPANWAY_VERSION;
  facts.image_repository = settings.image_repository;
  facts.deny_private_endpoints = settings.deny_private_endpoints;
  if (!settings.operator_namespace.empty()) facts.operator_namespace = settings.operator_namespace;
  return facts;
}

// Reads and checks; prints what is wrong.
std::optional<api::Pipeline> good_pipeline(const Json& object, const std::string& file,
                                           const CommandContext& context) {
  config::Problems problems;
  api::Pipeline pipeline = api::read(object, problems);
  if (problems.empty()) render::check_configs(pipeline, offline_facts(context.settings), problems);
  if (problems.empty()) return pipeline;
  for (const config::Problem& problem : problems.all())
    context.err << file << ": " << kube::string_at(object, "metadata/name") << ": " << problem.path
                << ": " << problem.message << '\n';
  return std::nullopt;
}

void print_yaml(const Json& object, std::ostream& out) {
  out << "---\n" << render::to_yaml(object);
}

void for_each_manifest(const render::Rendering& rendering,
                       const std::function<void(const render::Manifest&)>& use) {
  for (const render::Manifest& manifest : rendering.shared) use(manifest);
  if (rendering.topics_job) use(*rendering.topics_job);
  for (const render::Component& component : rendering.components) {
    for (const render::Manifest& manifest : component.support) use(manifest);
    use(component.workload);
  }
}

// What the cluster knows that changes the plan; filled in as far as it answers.
struct Live {
  std::vector<Json> objects;
  std::string uid;
};
Result<Live> look_at_cluster(kube::Client& client, const api::Pipeline& pipeline,
                             render::ClusterFacts& facts) {
  SPANWAY_ASSIGN(facts.serves_service_monitors, client.serves(kube::kServiceMonitors));
  SPANWAY_ASSIGN(facts.serves_prometheus_rules, client.serves(kube::kPrometheusRules));
  Live live;
  const kube::ObjectKey key{pipeline.name_space, pipeline.name};
  if (const auto object = client.get(kube::kPipelines, key); object.ok()) {
    live.uid = kube::string_at(*object, "metadata/uid");
  } else if (object.error().code != Code::kNotFound) {
    return object.error();
  }
  for (const std::string& name : render::referenced_secrets(pipeline)) {
    // A plan is also for people who may not read Secrets: then it says nothing about them.
    const auto secret = client.get(kube::kSecrets, {pipeline.name_space, name});
    if (secret.ok())
      facts.secret_identities[name] = kube::string_at(*secret, "metadata/uid") + "/" +
                                      kube::string_at(*secret, "metadata/resourceVersion");
  }
  for (const kube::ResourceType& type :
       Stores::owned_kinds(facts.serves_service_monitors, facts.serves_prometheus_rules)) {
    kube::ListOptions options;
    options.name_space = pipeline.name_space;
    options.label_selector = std::string(kManagedBySelector) + "," +
                             std::string(api::kPipelineLabel) + "=" + pipeline.name;
    options.resource_version = "";
    SPANWAY_ASSIGN(kube::ListResult list, client.list(type, options));
    for (Json& object : list.items) {
      // Kept by the operator, not rendered.
      if (kube::string_at(object, "metadata/name") == pipeline.name + "-last-good") continue;
      live.objects.push_back(std::move(object));
    }
  }
  return live;
}

int plan_against(kube::Client& client, const std::vector<Json>& pipelines, const Options& options,
                 const CommandContext& context) {
  for (const Json& object : pipelines) {
    auto pipeline = good_pipeline(object, options.file, context);
    if (!pipeline) return kFailed;
    render::ClusterFacts facts = offline_facts(context.settings);
    const auto live = look_at_cluster(client, *pipeline, facts);
    if (!live.ok()) {
      context.err << "the cluster did not answer: " << live.error().message << '\n';
      return kFailed;
    }
    pipeline->uid = live->uid;
    context.out << pipeline->name_space << "/" << pipeline->name << "\n"
                << render::to_text(render::plan(render::render(*pipeline, facts), live->objects));
  }
  return kOk;
}

int plan_against_nothing(const std::vector<Json>& pipelines, const Options& options,
                         const CommandContext& context) {
  for (const Json& object : pipelines) {
    const auto pipeline = good_pipeline(object, options.file, context);
    if (!pipeline) return kFailed;
    context.out << pipeline->name_space << "/" << pipeline->name << "\n"
                << render::to_text(render::plan(
                       render::render(*pipeline, offline_facts(context.settings)), {}));
  }
  return kOk;
}

int plan(const std::vector<Json>& pipelines, const Options& options,
         const CommandContext& context) {
  int code = kFailed;
  const Status reached =
      context.with_cluster(options.kubeconfig, [&](kube::Client& client, const std::string&) {
        code = plan_against(client, pipelines, options, context);
        return code;
      });
  if (reached.ok()) return code;
  // A cluster that was asked for by name must be there.
  if (!options.kubeconfig.empty()) {
    context.err << reached.error().message << '\n';
    return kFailed;
  }
  context.err << "no cluster (" << reached.error().message
              << "); this is the plan for one where nothing runs\n";
  return plan_against_nothing(pipelines, options, context);
}

int print_each(const std::string& name, const std::vector<Json>& pipelines, const Options& options,
               const CommandContext& context) {
  int code = kOk;
  for (const Json& object : pipelines) {
    const auto pipeline = good_pipeline(object, options.file, context);
    if (!pipeline) {
      code = kFailed;
      continue;
    }
    if (name == "check") {
      context.out << options.file << ": " << pipeline->name << ": ok\n";
    } else if (name == "rbac") {
      for (const Json& one : secrets_role(*pipeline, options.account)) print_yaml(one, context.out);
    } else {
      for_each_manifest(
          render::render(*pipeline, offline_facts(context.settings)),
          [&](const render::Manifest& manifest) { print_yaml(manifest.object, context.out); });
    }
  }
  return code;
}

Result<std::string> read_real_file(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  std::string content(kFileBytesMax + 1, '\0');
  in.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (in.bad() || (in.gcount() == 0 && !in.eof()))
    return invalid_argument(path + ": cannot be read");
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (content.size() > kFileBytesMax) return invalid_argument(path + ": larger than 4 MiB");
  return content;
}

Status with_real_cluster(const std::string& kubeconfig,
                         const std::function<int(kube::Client&, const std::string&)>& use) {
  SPANWAY_ASSIGN(const auto access,
                 kube::Access::find(kubeconfig, "", config::Sources::of_process(), system_clock()));
  const telemetry::Logger log =
      telemetry::Logger::create({.level = telemetry::LogLevel::kWarn, .service = "operator"});
  telemetry::Metrics metrics;
  kube::RestClientOptions options;
  options.request_timeout = std::chrono::seconds(10);
  SPANWAY_ASSIGN(const auto client,
                 kube::RestClient::create(*access, system_clock(), {log, metrics}, options));
  use(*client, access->cluster().name_space);
  return {};
}

}  // namespace

int run_command(const std::string& name, const std::vector<std::string>& arguments,
                const CommandContext& context) {
  if (name == "crd" || name == "crd-doc") {
    if (!arguments.empty()) {
      context.err << name << " takes no arguments\n";
      return kUsage;
    }
    context.out << (name == "crd" ? render::to_yaml(api::crd()) : api::markdown());
    return kOk;
  }
  const auto options = parse(arguments);
  if (!options.ok()) {
    context.err << name << ": " << options.error().message << '\n';
    return kUsage;
  }
  const auto pipelines = read_pipelines(*options, context);
  if (!pipelines.ok()) {
    context.err << pipelines.error().message << '\n';
    return kFailed;
  }
  return name == "plan" ? plan(*pipelines, *options, context)
                        : print_each(name, *pipelines, *options, context);
}

int run_command(const std::string& name, const std::vector<std::string>& arguments,
                const OperatorSettings& settings) {
  return run_command(name, arguments,
                     {.settings = settings,
                      .out = std::cout,
                      .err = std::cerr,
                      .read_file = read_real_file,
                      .with_cluster = with_real_cluster});
}

}  // namespace spanway::reconcile
