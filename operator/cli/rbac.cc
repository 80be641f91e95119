#include "operator/cli/rbac.h"

#include "operator/render/render.h"

namespace spanway::cli {
namespace {

using kube::Json;

constexpr char kGroup[] = "rbac.authorization.k8s.io";

Json named(const api::Pipeline& pipeline, const char* kind) {
  return {{"apiVersion", std::string(kGroup) + "/v1"},
          {"kind", kind},
          {"metadata",
           {{"name", pipeline.name + "-spanway-secrets"},
            {"namespace", pipeline.name_space},
            {"labels", {{api::kPipelineLabel, pipeline.name}}}}}};
}

}  // namespace

std::vector<Json> secrets_role(const api::Pipeline& pipeline, const ServiceAccountName& account) {
  const std::vector<std::string> names = render::referenced_secrets(pipeline);
  if (names.empty()) return {};
  Json role = named(pipeline, "Role");
  role["rules"] = Json::array({{{"apiGroups", Json::array({""})},
                                {"resources", Json::array({"secrets"})},
                                {"resourceNames", names},
                                {"verbs", Json::array({"get"})}}});
  Json binding = named(pipeline, "RoleBinding");
  binding["roleRef"] = {{"apiGroup", kGroup}, {"kind", "Role"}, {"name", role["metadata"]["name"]}};
  binding["subjects"] = Json::array(
      {{{"kind", "ServiceAccount"}, {"name", account.name}, {"namespace", account.name_space}}});
  return {std::move(role), std::move(binding)};
}

}  // namespace spanway::cli
