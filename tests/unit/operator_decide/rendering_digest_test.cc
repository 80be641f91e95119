#include "operator/decide/rendering_digest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "operator/api/declaration.h"
#include "operator/decide/desired_objects.h"

namespace spanway::decide {
namespace {

using Phase = RolloutDecision::Phase;
using render::Rendering;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Those that people begin with.
std::vector<api::Pipeline> samples() {
  std::vector<api::Pipeline> out;
  for (const auto& entry : std::filesystem::directory_iterator("k8s/samples")) {
    const auto documents = api::parse_yaml(text_of(entry.path()), entry.path().string());
    EXPECT_TRUE(documents.ok());
    for (const Json& object : *documents) {
      if (kube::string_at(object, "kind") != "Pipeline") continue;
      config::Problems problems;
      out.push_back(api::read(object, problems));
      EXPECT_TRUE(problems.empty()) << entry.path();
    }
  }
  return out;
}

Rendering rendered(const api::Pipeline& pipeline) {
  render::ClusterFacts facts;
  facts.version = "1.0.0";
  facts.serves.service_monitors = facts.serves.prometheus_rules = true;
  return render::render(pipeline, facts);
}

Rendering digested(const Rendering& rendering) {
  return read_rendering_digest(rendering_digest(rendering));
}

Json decisive_parts(const Rendering& rendering) {
  const auto key_of = [](const render::Manifest& manifest) {
    return std::string(manifest.type.plural) + " " + manifest.key().text();
  };
  Json out = {{"revision", rendering.revision}, {"shared", Json::array()}};
  for (const render::Manifest& manifest : rendering.shared)
    out["shared"].push_back(key_of(manifest));
  for (const render::Component& component : rendering.components) {
    Json support = Json::array();
    for (const render::Manifest& manifest : component.support) support.push_back(key_of(manifest));
    const Json* replicas = kube::find(component.workload.object, "spec/replicas");
    const Json* selector = component.id.role == render::Role::kIngress
                               ? kube::find(component.workload.object, "spec/selector")
                               : nullptr;
    out["components"].push_back({{"id", {component.id.role, component.id.exporter}},
                                 {"revision", component.revision},
                                 {"support", support},
                                 {"workload", key_of(component.workload)},
                                 {"live_replicas", replicas == nullptr ? Json() : *replicas},
                                 {"selector", selector == nullptr ? Json() : *selector},
                                 {"canary", key_of(component.canary)},
                                 {"replicas", component.replicas},
                                 {"elsewhere", component.replicas_elsewhere},
                                 {"stateful", component.stateful}});
  }
  if (rendering.topics_job) out["topics"] = key_of(*rendering.topics_job);
  for (const render::MigrateJob& migrate : rendering.migrate_jobs)
    out["migrate"].push_back({migrate.exporter, key_of(migrate.job)});
  return out;
}

// The requested objects, in order.
Json requests(const DesiredObjects& objects) {
  Json out = Json::array();
  for (const auto* manifests : {&objects.support, &objects.canaries, &objects.workloads}) {
    for (const render::Manifest& manifest : *manifests) {
      const Json* replicas =
          manifest.type == kube::kDeployments || manifest.type == kube::kStatefulSets
              ? kube::find(manifest.object, "spec/replicas")
              : nullptr;
      const bool is_canary = manifests == &objects.canaries;
      out.push_back({manifest.type.plural, manifest.key().text(),
                     replicas == nullptr || is_canary ? Json() : *replicas});
    }
    out.push_back("then");
  }
  for (const auto& [type, key] : objects.untouched)
    out.push_back({"keep", type.plural, key.text()});
  return out;
}

TEST(RenderingDigest, HoldsEverythingThatDecisionsRead) {
  const auto pipelines = samples();
  ASSERT_GE(pipelines.size(), 10u);
  for (const api::Pipeline& pipeline : pipelines) {
    const Rendering complete = rendered(pipeline);
    EXPECT_EQ(decisive_parts(digested(complete)), decisive_parts(complete)) << pipeline.name;
  }
}

TEST(RenderingDigest, RequestsForTheSameObjectsAsTheWhole) {
  for (const api::Pipeline& pipeline : samples()) {
    const Rendering desired = rendered(pipeline);
    api::Pipeline earlier = pipeline;
    earlier.annotations[api::kRestartAnnotation] = "before";
    earlier.spec.ingress.replicas += 1;
    earlier.spec.exporters.push_back(earlier.spec.exporters.front());
    earlier.spec.exporters.back().name = "gone";
    const Rendering last_good = rendered(earlier);
    ASSERT_NE(desired.revision, last_good.revision);
    for (const Phase phase : {Phase::kRolling, Phase::kComplete, Phase::kRolledBack}) {
      for (const Target target : {Target::kDesired, Target::kLastGood, Target::kKeep}) {
        RolloutDecision decision;
        decision.phase = phase;
        decision.remove_others = phase == Phase::kComplete;
        for (const render::Component& component : desired.components)
          decision.actions.push_back({component.id, target, phase == Phase::kRolling});
        const Rendering digest = digested(desired);
        const Rendering last_good_digest = digested(last_good);
        EXPECT_EQ(requests(desired_objects(digest, &last_good_digest, decision)),
                  requests(desired_objects(desired, &last_good, decision)));
        EXPECT_EQ(requests(desired_objects(digest, nullptr, decision)),
                  requests(desired_objects(desired, nullptr, decision)));
      }
    }
  }
}

TEST(RenderingDigest, DistinguishesObjectsThatDifferAnywhere) {
  const Rendering complete = rendered(samples().front());
  const std::string before = rendering_digest(complete);
  EXPECT_EQ(rendering_digest(complete), before);
  for (std::size_t i = 0; i < complete.components.size(); ++i) {
    Rendering other = complete;
    other.components[i].support[0].object["metadata"]["labels"]["x"] = "y";
    EXPECT_NE(rendering_digest(other), before);
    other = complete;
    other.components[i].workload.object["spec"]["template"]["spec"]["x"] = 1;
    EXPECT_NE(rendering_digest(other), before);
    other = complete;
    other.components[i].canary.object["spec"]["template"]["spec"]["x"] = 1;
    EXPECT_NE(rendering_digest(other), before);
  }
}

TEST(RenderingDigest, IsMuchSmallerThanTheObjects) {
  for (const api::Pipeline& pipeline : samples()) {
    const Rendering complete = rendered(pipeline);
    std::size_t objects = complete.shared.size() + 1;
    for (const render::Component& component : complete.components)
      objects += component.support.size() + 2;
    EXPECT_LT(rendering_digest(complete).size(), 120 * objects) << pipeline.name;
  }
}

}  // namespace
}  // namespace spanway::decide
