#include "operator/cli/commands.h"

#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <utility>

#include "operator/api/declaration.h"
#include "operator/api/yaml.h"
#include "operator/cli/rbac.h"
#include "operator/k8s/access.h"
#include "operator/k8s/rest_client.h"
#include "operator/reconcile/last_good.h"
#include "operator/reconcile/secrets_poller.h"
#include "operator/reconcile/stores.h"
#include "operator/render/plan.h"
#include "operator/render/render.h"
#include "services/lib/base/file.h"
#include "services/lib/config/load.h"
#include "services/lib/runtime/flags.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::cli {
namespace {

using kube::Json;

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr std::size_t kFileBytesMax = 4u << 20;
constexpr char kDefaultNamespace[] = "default";

struct Options {
  std::string file;
  std::string kubeconfig;
  std::string name_space;
  ServiceAccountName account;
};

Result<Options> parse(const std::string& name, const std::vector<std::string>& arguments) {
  Options options;
  runtime::FlagSet flags("spanway-operator " + name + " -f FILE [flags]", "");
  flags.add("file", options.file, "the manifests; - is standard input");
  flags.add_alias("f", "file");
  flags.add("kubeconfig", options.kubeconfig, "the cluster to compare with");
  flags.add("namespace", options.name_space, "takes the place of the manifests' own");
  flags.add_alias("n", "namespace");
  const auto set_account = [&options](std::string_view value) {
    const std::size_t slash = value.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == value.size()) return false;
    options.account = {std::string(value.substr(0, slash)), std::string(value.substr(slash + 1))};
    return true;
  };
  flags.add("service-account", set_account, "<namespace>/<name>", "who may read the Secrets");
  SPANWAY_TRY(flags.parse(arguments));
  if (options.file.empty()) return invalid_argument("-f FILE is missing; - is standard input");
  return options;
}

// Others have a kind of this name as well.
bool is_ours(const Json& document) {
  const std::string version = kube::string_at(document, "apiVersion");
  return kube::string_at(document, "kind") == kube::kPipelines.kind &&
         (version.empty() || version.starts_with(std::string(kube::kPipelines.group) + "/"));
}

// One without a namespace is in this one, as with kubectl apply.
Json placed(Json object, const std::string& name_space) {
  if (!object.contains("metadata")) object["metadata"] = Json::object();
  Json& metadata = object["metadata"];
  if (metadata.is_object() && kube::string_at(metadata, "namespace").empty())
    metadata["namespace"] = name_space;
  return object;
}

// The Pipelines of a file; other kinds are left alone.
Result<std::vector<Json>> read_pipelines(const Options& options, const CommandContext& context) {
  SPANWAY_ASSIGN(const std::string text, context.read_file(options.file));
  SPANWAY_ASSIGN(std::vector<Json> documents, api::parse_yaml(text, options.file));
  std::vector<Json> pipelines;
  for (Json& document : documents) {
    if (!is_ours(document)) continue;
    if (!options.name_space.empty() && document.contains("metadata") &&
        document["metadata"].is_object())
      document["metadata"].erase("namespace");
    pipelines.push_back(options.name_space.empty()
                            ? std::move(document)
                            : placed(std::move(document), options.name_space));
  }
  if (pipelines.empty()) return invalid_argument(options.file + ": no Pipeline in this file");
  return pipelines;
}

render::ClusterFacts offline_facts(const manager::OperatorSettings& settings) {
  render::ClusterFacts facts;
  facts.version = SPANWAY_VERSION;
  facts.image_repository = settings.image_repository;
  facts.deny_private_endpoints = settings.deny_private_endpoints;
  facts.serves.http_routes = true;  // Where a Pipeline has one, it is meant for such a cluster.
  if (!settings.operator_namespace.empty()) facts.operator_namespace = settings.operator_namespace;
  return facts;
}

void print_problems(const config::Problems& problems, const std::string& pipeline,
                    const std::string& file, const CommandContext& context) {
  for (const config::Problem& problem : problems.all())
    context.err << file << ": " << pipeline << ": " << problem.path << ": " << problem.message
                << '\n';
}

// Reads and checks; prints what is wrong.
std::optional<api::Pipeline> good_pipeline(const Json& object, const std::string& file,
                                           const CommandContext& context) {
  config::Problems problems;
  api::Pipeline pipeline = api::read(object, problems);
  if (problems.empty()) render::check_configs(pipeline, offline_facts(context.settings), problems);
  if (problems.empty()) return pipeline;
  print_problems(problems, kube::string_at(object, "metadata/name"), file, context);
  return std::nullopt;
}

void print_yaml(const Json& object, std::ostream& out) { out << "---\n" << api::to_yaml(object); }

void for_each_manifest(const render::Rendering& rendering,
                       const std::function<void(const render::Manifest&)>& use) {
  for (const render::Manifest& manifest : rendering.shared) use(manifest);
  if (rendering.topics_job) use(*rendering.topics_job);
  for (const render::MigrateJob& migrate : rendering.migrate_jobs) use(migrate.job);
  for (const render::Component& component : rendering.components) {
    for (const render::Manifest& manifest : component.support) use(manifest);
    use(component.workload);
  }
}

// The state of the cluster that a plan depends on; filled in as far as it answers.
struct Live {
  std::vector<Json> objects;
  std::string uid;
};

// "registry:5000/team/spanway:1.2" without its tag or digest.
std::string repository_of(const std::string& image) {
  const std::string name = image.substr(0, image.find('@'));
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string::npos ? 0 : slash);
  return name.substr(0, colon);
}

// Before a revision has proven itself nothing records which image and version the operator there
// gives to pods: they are derived from what runs, and from the status.
void guess_release(const std::vector<Json>& objects, const Json& pipeline,
                   render::ClusterFacts& facts) {
  facts.version = kube::string_at(pipeline, "status/version", facts.version);
  // Then it is not the operator's choice that runs.
  if (!kube::string_at(pipeline, "spec/image/repository").empty()) return;
  for (const Json& object : objects) {
    const std::string image = kube::string_at(object, "spec/template/spec/containers/0/image");
    if (!image.empty()) facts.image_repository = repository_of(image);
  }
}

Result<Live> read_cluster(kube::Client& client, const api::Pipeline& pipeline,
                          render::ClusterFacts& facts) {
  SPANWAY_ASSIGN(facts.serves, reconcile::served_kinds(client));
  Live live;
  const kube::ObjectKey key{pipeline.name_space, pipeline.name};
  const auto running = client.get(kube::kPipelines, key);
  if (running.ok()) {
    live.uid = kube::string_at(*running, "metadata/uid");
  } else if (running.error().code != Code::kNotFound) {
    return running.error();
  }
  for (const std::string& name : render::referenced_secrets(pipeline)) {
    // Without the right to read Secrets the plan omits their changes.
    const auto secret = client.get(kube::kSecrets, {pipeline.name_space, name});
    if (secret.ok()) facts.secret_identities[name] = reconcile::secret_identity(*secret);
  }
  bool is_recorded = false;
  for (const kube::ResourceType& type : reconcile::Stores::owned_kinds(facts.serves)) {
    kube::ListOptions options;
    options.name_space = pipeline.name_space;
    options.label_selector = std::string(reconcile::kManagedBySelector) + "," +
                             std::string(api::kPipelineLabel) + "=" + pipeline.name;
    options.resource_version = "";
    SPANWAY_ASSIGN(kube::ListResult list, client.list(type, options));
    for (Json& object : list.items) {
      if (kube::string_at(object, "metadata/name") != reconcile::last_good_key(key).name) {
        live.objects.push_back(std::move(object));
        continue;
      }
      // Kept by the operator, not rendered; it names the image and version that the operator there
      // gives to pods.
      const Json owner = {
          {"metadata", {{"name", pipeline.name}, {"namespace", pipeline.name_space}}}};
      if (const auto last_good = reconcile::read_last_good(std::move(object), owner, facts)) {
        facts.image_repository = last_good->facts.image_repository;
        facts.version = last_good->facts.version;
        is_recorded = true;
      }
    }
  }
  if (!is_recorded && running.ok()) guess_release(live.objects, *running, facts);
  return live;
}

// All of them, or nothing when one is wrong; the mistakes of all are printed.
std::optional<std::vector<api::Pipeline>> good_pipelines(const std::vector<Json>& objects,
                                                         const std::string& name_space,
                                                         const Options& options,
                                                         const CommandContext& context) {
  std::vector<api::Pipeline> good;
  for (const Json& object : objects) {
    auto pipeline = good_pipeline(placed(object, name_space), options.file, context);
    if (pipeline) good.push_back(std::move(*pipeline));
  }
  if (good.size() != objects.size()) return std::nullopt;
  return good;
}

void print_plan(const api::Pipeline& pipeline, const render::ClusterFacts& facts,
                const std::vector<Json>& live, const CommandContext& context) {
  context.out << pipeline.name_space << "/" << pipeline.name << "\n"
              << render::to_text(render::plan(render::render(pipeline, facts), live));
}

int plan_against(kube::Client& client, const std::string& name_space,
                 const std::vector<Json>& objects, const Options& options,
                 const CommandContext& context) {
  auto pipelines = good_pipelines(objects, name_space, options, context);
  if (!pipelines) return kFailed;
  for (api::Pipeline& pipeline : *pipelines) {
    render::ClusterFacts facts = offline_facts(context.settings);
    const auto live = read_cluster(client, pipeline, facts);
    if (!live.ok()) {
      context.err << "the cluster did not answer: " << live.error().message << '\n';
      return kFailed;
    }
    config::Problems problems;
    render::check_served(pipeline, facts, problems);
    if (!problems.empty()) {
      print_problems(problems, pipeline.name, options.file, context);
      return kFailed;
    }
    pipeline.uid = live->uid;
    print_plan(pipeline, facts, live->objects, context);
  }
  return kOk;
}

int plan_against_nothing(const std::vector<Json>& objects, const Options& options,
                         const CommandContext& context) {
  const auto pipelines = good_pipelines(objects, kDefaultNamespace, options, context);
  if (!pipelines) return kFailed;
  for (const api::Pipeline& pipeline : *pipelines)
    print_plan(pipeline, offline_facts(context.settings), {}, context);
  return kOk;
}

int plan(const std::vector<Json>& objects, const Options& options, const CommandContext& context) {
  const std::string kubeconfig =
      options.kubeconfig.empty() ? context.settings.kubeconfig : options.kubeconfig;
  int code = kFailed;
  const Status reached =
      context.with_cluster(kubeconfig, [&](kube::Client& client, const std::string& name_space) {
        code = plan_against(client, name_space.empty() ? kDefaultNamespace : name_space, objects,
                            options, context);
        return code;
      });
  if (reached.ok()) return code;
  // A cluster that was named must be reachable.
  if (!kubeconfig.empty()) {
    context.err << reached.error().message << '\n';
    return kFailed;
  }
  context.err << "no cluster (" << reached.error().message
              << "); this is the plan for one where nothing runs\n";
  return plan_against_nothing(objects, options, context);
}

int print_each(const std::string& name, const std::vector<Json>& objects, const Options& options,
               const CommandContext& context) {
  int code = kOk;
  for (const Json& object : objects) {
    const auto pipeline = good_pipeline(placed(object, kDefaultNamespace), options.file, context);
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
  auto content = path == "-" ? read_descriptor(STDIN_FILENO, kFileBytesMax + 1)
                             : read_file(path, kFileBytesMax + 1);
  if (!content.ok() && std::string_view(content.error().reason) != kFileTooLarge)
    return invalid_argument(path + ": cannot be read");
  if (!content.ok() || content->size() > kFileBytesMax)
    return invalid_argument(path + ": larger than 4 MiB");
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
    context.out << (name == "crd" ? api::to_yaml(api::crd()) : api::markdown());
    return kOk;
  }
  const auto options = parse(name, arguments);
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
                const manager::OperatorSettings& settings) {
  return run_command(name, arguments,
                     {.settings = settings,
                      .out = std::cout,
                      .err = std::cerr,
                      .read_file = read_real_file,
                      .with_cluster = with_real_cluster});
}

}  // namespace spanway::cli
