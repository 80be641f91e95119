#include "operator/cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "operator/api/declaration.h"
#include "operator/reconcile/last_good.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::cli {
namespace {

using kube::Json;

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kGood[] = R"(apiVersion: spanway.dev/v1alpha1
kind: Pipeline
metadata: {name: quickstart}
spec:
  kafka: {bootstrapServers: "kafka:9092"}
  exporters:
  - name: jaeger
    destination: {type: OtlpGrpc, endpoint: "jaeger:4317"}
)";
constexpr char kBad[] = R"(apiVersion: spanway.dev/v1alpha1
kind: Pipeline
metadata: {name: broken}
spec:
  kafka: {bootstrapServers: "kafka:9092"}
  ingress: {replicas: -1}
  exporters:
  - name: jaeger
    destination: {type: NoSuchType, endpoint: "jaeger:4317"}
)";
constexpr char kWithSecret[] = R"(apiVersion: spanway.dev/v1alpha1
kind: Pipeline
metadata: {name: secured, namespace: team}
spec:
  kafka:
    bootstrapServers: "kafka:9092"
    authentication:
      type: ScramSha512
      username: u
      passwordSecretKeyRef: {name: kafka-user, key: password}
  exporters:
  - name: jaeger
    destination: {type: OtlpGrpc, endpoint: "jaeger:4317"}
)";
constexpr char kOthers[] = R"(apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: tekton.dev/v1
kind: Pipeline
metadata: {name: builds}
---
)";

class CommandsTest : public testing::Test {
 protected:
  int run(const std::string& name, const std::vector<std::string>& arguments) {
    out_.str("");
    err_.str("");
    return run_command(
        name, arguments,
        {.settings = settings_,
         .out = out_,
         .err = err_,
         .read_file = [this](const std::string& path) -> Result<std::string> {
           const auto found = files_.find(path);
           if (found == files_.end()) return invalid_argument(path + ": cannot be read");
           return found->second;
         },
         .with_cluster =
             [this](const std::string& kubeconfig,
                    const std::function<int(kube::Client&, const std::string&)>& use) -> Status {
           kubeconfig_used_ = kubeconfig;
           if (!has_cluster_) return unavailable("no kubeconfig");
           use(kube_, "team");
           return {};
         }});
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }
  static std::int64_t lines(const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  }
  std::vector<Json> objects() const {
    auto all = api::parse_yaml(out(), "the output");
    EXPECT_TRUE(all.ok()) << out();
    return all.ok() ? *all : std::vector<Json>();
  }

  manager::OperatorSettings settings_;
  std::map<std::string, std::string> files_ = {
      {"good.yaml", kGood}, {"bad.yaml", kBad}, {"secret.yaml", kWithSecret}};
  fakes::ManualClock clock_;
  fakes::FakeKube kube_{clock_};
  bool has_cluster_ = true;
  std::string kubeconfig_used_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(CommandsTest, BadUsageIsTwoAndReportsWhatIsWrong) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "-f FILE is missing"},
      {{"-f"}, "--file needs a value"},
      {{"--frob"}, "unknown argument '--frob'"},
      {{"--frob", "x"}, "unknown argument '--frob'"},
      {{"good.yaml"}, "unknown argument 'good.yaml'"},
      {{"-f", "good.yaml", "--service-account", "none"}, "<namespace>/<name>"}};
  for (const auto& [arguments, words] : cases) {
    for (const char* name : {"plan", "render", "check", "rbac"}) {
      EXPECT_EQ(run(name, arguments), 2) << name << words;
      EXPECT_THAT(err(), AllOf(HasSubstr(name), HasSubstr(words)));
      EXPECT_EQ(out(), "");
    }
  }
  EXPECT_EQ(run("crd", {"x"}), 2);
  EXPECT_EQ(run("crd-doc", {"x"}), 2);
}

TEST_F(CommandsTest, AFileThatCannotBeUsedIsNamed) {
  files_["nothing.yaml"] = kOthers;
  files_["empty.yaml"] = "";
  files_["torn.yaml"] = "a: [";
  for (const char* file : {"missing.yaml", "nothing.yaml", "empty.yaml", "torn.yaml"}) {
    EXPECT_EQ(run("check", {"-f", file}), 1) << file;
    EXPECT_THAT(err(), HasSubstr(file));
    EXPECT_EQ(out(), "");
  }
  run("check", {"-f", "nothing.yaml"});
  EXPECT_THAT(err(), HasSubstr("no Pipeline in this file"));
}

TEST_F(CommandsTest, CheckTakesTheRightOnesAndLeavesOtherKindsAlone) {
  files_["all.yaml"] = std::string(kOthers) + kGood + "---\n" + kWithSecret;
  EXPECT_EQ(run("check", {"-f", "all.yaml"}), 0) << err();
  EXPECT_EQ(out(), "all.yaml: quickstart: ok\nall.yaml: secured: ok\n");
  EXPECT_EQ(err(), "");
}

TEST_F(CommandsTest, EveryMistakeOfEveryPipelineIsPrinted) {
  files_["all.yaml"] = std::string(kBad) + "---\n" + kGood + "---\n" + kBad;
  EXPECT_EQ(run("check", {"-f", "all.yaml"}), 1);
  EXPECT_EQ(out(), "all.yaml: quickstart: ok\n");
  EXPECT_THAT(err(),
              AllOf(HasSubstr("all.yaml: broken: spec.ingress.replicas: "),
                    HasSubstr("all.yaml: broken: spec.exporters[jaeger].destination.type: ")));
  EXPECT_EQ(lines(err()), 4);
  // A plan for one half of a file would be no plan.
  EXPECT_EQ(run("plan", {"-f", "all.yaml"}), 1);
  EXPECT_EQ(lines(err()), 4);
  EXPECT_EQ(out(), "");
}

TEST_F(CommandsTest, WhatIsNoPipelineAtAllIsRefusedWithoutACrash) {
  for (const char* text :
       {"kind: Pipeline\napiVersion: spanway.dev/v1alpha1\nmetadata: 7\nspec: []\n",
        "kind: Pipeline\nmetadata: {name: [], namespace: 3}\n", "kind: Pipeline\n"}) {
    files_["odd.yaml"] = text;
    for (const char* name : {"plan", "render", "check", "rbac"}) {
      EXPECT_EQ(run(name, {"-f", "odd.yaml", "-n", "team"}), 1) << text;
      EXPECT_NE(err(), "");
    }
  }
}

TEST_F(CommandsTest, RenderPrintsWhatTheOperatorWouldApply) {
  EXPECT_EQ(run("render", {"-f", "good.yaml"}), 0) << err();
  std::vector<std::string> names;
  for (const Json& object : objects()) {
    names.push_back(kube::string_at(object, "kind") + "/" +
                    kube::string_at(object, "metadata/name"));
    EXPECT_EQ(kube::string_at(object, "metadata/namespace"), "default");
  }
  EXPECT_THAT(names, AllOf(Contains("Deployment/quickstart-ingress"),
                           Contains("Deployment/quickstart-bridge"),
                           Contains("StatefulSet/quickstart-jaeger-consumer"),
                           Contains("Deployment/quickstart-jaeger"), Contains(HasSubstr("Job/"))));
  EXPECT_EQ(run("render", {"-f", "good.yaml", "--namespace", "elsewhere"}), 0);
  for (const Json& object : objects())
    EXPECT_EQ(kube::string_at(object, "metadata/namespace"), "elsewhere");
  EXPECT_EQ(kube_.read_count(), 0u) << "offline";
}

TEST_F(CommandsTest, RbacNamesExactlyTheSecrets) {
  EXPECT_EQ(run("rbac", {"-f", "secret.yaml", "--service-account", "ops/op"}), 0) << err();
  const auto all = objects();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["kind"], "Role");
  EXPECT_EQ(all[0]["metadata"]["namespace"], "team");
  EXPECT_EQ(all[0]["rules"], Json::array({{{"apiGroups", {""}},
                                           {"resources", {"secrets"}},
                                           {"resourceNames", {"kafka-user"}},
                                           {"verbs", {"get"}}}}));
  EXPECT_EQ(all[1]["subjects"][0]["name"], "op");
  EXPECT_EQ(all[1]["subjects"][0]["namespace"], "ops");
  EXPECT_EQ(run("rbac", {"-f", "good.yaml"}), 0);
  EXPECT_EQ(out(), "") << "it refers to none";
}

TEST_F(CommandsTest, TheCrdIsOneObject) {
  EXPECT_EQ(run("crd", {}), 0);
  const auto all = objects();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["kind"], "CustomResourceDefinition");
  EXPECT_EQ(all[0]["metadata"]["name"], "pipelines.spanway.dev");
  EXPECT_EQ(run("crd-doc", {}), 0);
  EXPECT_THAT(out(), HasSubstr("bootstrapServers"));
}

TEST_F(CommandsTest, APlanIsForTheNamespaceOfTheContextAndWritesNothing) {
  EXPECT_EQ(run("plan", {"-f", "good.yaml", "--kubeconfig", "k"}), 0) << err();
  EXPECT_EQ(kubeconfig_used_, "k");
  EXPECT_THAT(out(), AllOf(HasSubstr("team/quickstart"), HasSubstr("quickstart-ingress")));
  EXPECT_THAT(kube_.writes(), IsEmpty());
}

// The objects of the operator, before and after a revision has proven itself.
class PlanOfWhatRuns : public CommandsTest, public testing::WithParamInterface<bool> {
 protected:
  void plan(const Json& spec) {
    files_["p.yaml"] = kube::to_text({{"apiVersion", "spanway.dev/v1alpha1"},
                                      {"kind", "Pipeline"},
                                      {"metadata", {{"name", "p"}, {"namespace", "team"}}},
                                      {"spec", spec}});
    EXPECT_EQ(run("plan", {"-f", "p.yaml"}), 0) << err();
  }
};
INSTANTIATE_TEST_SUITE_P(Commands, PlanOfWhatRuns, testing::Bool());

TEST_P(PlanOfWhatRuns, IsEmptyAndOfAChangeNamesIt) {
  reconcile::ControllerFixture fixture;
  fixture.install();
  const Json live = fixture.kube.at(kube::kPipelines, {"team", "p"});
  kube_.put(kube::kPipelines, live);
  for (const kube::ResourceType& type : fixture.stores->kinds())
    for (const Json& object : fixture.kube.all(type))
      if (GetParam() ||
          kube::string_at(object, "metadata/name") != reconcile::last_good_key({"team", "p"}).name)
        kube_.put(type, object);
  settings_.image_repository = "another";  // The user who plans need not know the operator's.
  Json spec = live["spec"];
  plan(spec);
  EXPECT_THAT(out(), HasSubstr("\n0 to create, 0 to change, 0 to delete, "));
  spec["ingress"]["replicas"] = 3;
  plan(spec);
  EXPECT_THAT(
      out(), AllOf(HasSubstr("p-ingress"), HasSubstr("\n0 to create, 1 to change, 0 to delete, ")));
}

TEST_F(CommandsTest, WithoutAClusterThePlanIsForAnEmptyOneUnlessOneWasRequested) {
  has_cluster_ = false;
  EXPECT_EQ(run("plan", {"-f", "good.yaml"}), 0);
  EXPECT_THAT(err(), AllOf(HasSubstr("no kubeconfig"), HasSubstr("nothing runs")));
  EXPECT_THAT(out(), HasSubstr("default/quickstart"));
  EXPECT_EQ(run("plan", {"-f", "good.yaml", "--kubeconfig", "k"}), 1);
  EXPECT_EQ(out(), "");
  settings_.kubeconfig = "of-the-settings";
  EXPECT_EQ(run("plan", {"-f", "good.yaml"}), 1);
  EXPECT_EQ(kubeconfig_used_, "of-the-settings");
}

TEST_F(CommandsTest, AClusterThatRefusesIsAFailure) {
  kube_.fail("list", "deployments",
             configuration_error(Code::kPermissionDenied, "deployments is forbidden"));
  EXPECT_EQ(run("plan", {"-f", "good.yaml"}), 1);
  EXPECT_THAT(err(), HasSubstr("deployments is forbidden"));
}

TEST_F(CommandsTest, ARouteIsCheckedAgainstTheClusterThatAPlanIsFor) {
  files_["route.yaml"] = std::string(kGood) + R"(
  query:
    stores: {clickhouse: {endpoint: "http://clickhouse:8123"}}
    httpRoute: {parentRefs: [{name: public}]}
)";
  EXPECT_EQ(run("check", {"-f", "route.yaml"}), 0) << err();
  EXPECT_EQ(run("plan", {"-f", "route.yaml"}), 1);
  EXPECT_THAT(err(), HasSubstr("spec.query.httpRoute: the API server has no HTTPRoutes"));
  kube_.set_serves(kube::kHttpRoutes, true);
  EXPECT_EQ(run("plan", {"-f", "route.yaml"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("+ create HTTPRoute"));
}

TEST_F(CommandsTest, APlanDoesWithoutTheRightToReadSecrets) {
  kube_.fail("get", "secrets", configuration_error(Code::kPermissionDenied, "forbidden"), 100);
  EXPECT_EQ(run("plan", {"-f", "secret.yaml"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("secured"));
}

}  // namespace
}  // namespace spanway::cli
