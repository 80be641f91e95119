#include "operator/cli/program.h"

#include <memory>
#include <utility>

#include "operator/cache/events.h"
#include "operator/cli/commands.h"
#include "operator/k8s/events.h"
#include "operator/manager/settings.h"
#include "operator/manager/starting_operator.h"
#include "operator/reconcile/events.h"

namespace spanway::cli {
namespace {

std::vector<telemetry::MetricSpec> all_metric_specs() {
  std::vector<telemetry::MetricSpec> all(reconcile::metric_specs().begin(),
                                         reconcile::metric_specs().end());
  for (const auto table : {kube::client_metric_specs(), kube::cache_metric_specs()})
    all.insert(all.end(), table.begin(), table.end());
  return all;
}

}  // namespace

runtime::Program make_program() {
  auto settings = std::make_shared<manager::OperatorSettings>();
  const auto command = [settings](const char* words, const char* help) {
    return runtime::Program::Command{words, help,
                                     [settings, words](const std::vector<std::string>& arguments) {
                                       return run_command(words, arguments, *settings);
                                     }};
  };
  return {
      .name = "spanway-operator",
      .summary = "Runs Pipelines (spanway.dev) on Kubernetes.",
      .describe_config = [settings](config::Binder& b) { describe(b, *settings); },
      .validate = [settings](config::Problems& problems) { validate(*settings, problems); },
      .create = [settings](
                    const runtime::ServiceDeps& deps) -> Result<std::unique_ptr<runtime::Service>> {
        SPANWAY_ASSIGN(auto service, manager::StartingOperator::create(*settings, deps));
        return std::unique_ptr<runtime::Service>(std::move(service));
      },
      .commands = {command("plan",
                           "-f FILE [--kubeconfig FILE]: what applying the file would change, and "
                           "which pods restart"),
                   command("render",
                           "-f FILE: the objects that the file becomes, without a cluster"),
                   command("check", "-f FILE: whether the file is right, all mistakes"),
                   command("rbac",
                           "-f FILE [--service-account NS/NAME]: a Role for exactly its Secrets"),
                   command("crd-doc", "the fields of a Pipeline, as Markdown"),
                   command("crd", "the CustomResourceDefinition, for kubectl apply")},
      .metrics = all_metric_specs(),
  };
}

}  // namespace spanway::cli
