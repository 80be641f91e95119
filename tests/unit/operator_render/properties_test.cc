// Properties of Pipelines of any shape. They are made from a seed, so that a failure can be
// repeated.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "operator/api/declaration.h"
#include "services/lib/base/random.h"
#include "services/lib/config/load.h"
#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

constexpr std::uint64_t kRounds = 12;

std::string text_of(const Rendering& rendering) {
  std::string text = rendering.revision;
  for (const Manifest& manifest : all_manifests(rendering))
    text += kube::to_text(manifest.object) + "\n";
  return text;
}

// By kind and name, without anything that names the whole Pipeline's revision.
std::map<std::string, std::string> objects_of(const Rendering& rendering) {
  std::map<std::string, std::string> out;
  for (const Manifest& manifest : all_manifests(rendering))
    out[std::string(manifest.type.kind) + "/" + manifest.key().name] =
        kube::to_text(manifest.object);
  return out;
}

std::map<ComponentId, std::string> revisions_of(const Rendering& rendering) {
  std::map<ComponentId, std::string> out;
  for (const Component& component : rendering.components) out[component.id] = component.revision;
  return out;
}

// A Pipeline with a bit of everything that may be said.
class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  api::Pipeline pipeline() {
    const std::vector<NamedPipeline> samples = sample_pipelines();
    api::Pipeline pipeline = samples[below(samples.size())].pipeline;
    const std::size_t exporters = 1 + below(5);
    while (pipeline.spec.exporters.size() < exporters) {
      const api::Pipeline& other = samples[below(samples.size())].pipeline;
      api::Exporter exporter = other.spec.exporters[below(other.spec.exporters.size())];
      exporter.name = "e" + std::to_string(pipeline.spec.exporters.size());
      pipeline.spec.exporters.push_back(std::move(exporter));
    }
    pipeline.spec.kafka.topics.partitions = 1 + static_cast<std::int64_t>(below(300));
    pipeline.spec.ingress.replicas = static_cast<std::int64_t>(below(4));
    for (api::Exporter& exporter : pipeline.spec.exporters) exporter.paused = below(4) == 0;
    return pipeline;
  }
  std::size_t below(std::size_t bound) { return random_.next_below(bound); }

 private:
  Random random_;
};

TEST(Properties, TheSameGivesTheSame) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    const api::Pipeline pipeline = Maker(seed).pipeline();
    EXPECT_EQ(text_of(rendered(pipeline)), text_of(rendered(pipeline))) << seed;
  }
}

TEST(Properties, TheOrderOfExportersDoesNotMatter) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    const api::Pipeline pipeline = Maker(seed).pipeline();
    api::Pipeline reversed = pipeline;
    std::reverse(reversed.spec.exporters.begin(), reversed.spec.exporters.end());
    EXPECT_EQ(rendered(pipeline).revision, rendered(reversed).revision) << seed;
    EXPECT_EQ(objects_of(rendered(pipeline)), objects_of(rendered(reversed))) << seed;
  }
}

TEST(Properties, EditingOneExporterChangesItsOwnObjectsOnly) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    Maker maker(seed);
    const api::Pipeline before = maker.pipeline();
    api::Pipeline after = before;
    api::Exporter& edited = after.spec.exporters[maker.below(after.spec.exporters.size())];
    edited.destination.timeout += std::chrono::seconds(41);
    edited.destination.headers.push_back({"x-edited", "1", std::nullopt});
    edited.consumer.start_from = edited.consumer.start_from == api::Consumer::StartFrom::kLatest
                                     ? api::Consumer::StartFrom::kEarliest
                                     : api::Consumer::StartFrom::kLatest;
    const auto old = objects_of(rendered(before));
    const Rendering now = rendered(after);
    for (const Manifest& manifest : all_manifests(now)) {
      const auto found = old.find(std::string(manifest.type.kind) + "/" + manifest.key().name);
      if (found != old.end() && found->second == kube::to_text(manifest.object)) continue;
      EXPECT_EQ(kube::string_at(manifest.object, "metadata/labels/spanway.dev~1exporter"),
                edited.name)
          << seed << " " << manifest.key().name;
    }
    for (const auto& [id, revision] : revisions_of(rendered(before))) {
      if (id.exporter == edited.name) continue;
      EXPECT_EQ(revisions_of(now).at(id), revision) << seed;
    }
  }
}

TEST(Properties, AddingAnExporterRestartsNothing) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    const api::Pipeline before = Maker(seed).pipeline();
    api::Pipeline after = before;
    after.spec.exporters.push_back(quickstart().spec.exporters[0]);
    after.spec.exporters.back().name = "added";
    const auto now = objects_of(rendered(after));
    for (const auto& [place, object] : objects_of(rendered(before))) {
      ASSERT_TRUE(now.contains(place)) << place;
      EXPECT_EQ(now.at(place), object) << seed << " " << place;
    }
  }
}

TEST(Properties, ScalingIsNoRevision) {
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    const api::Pipeline before = Maker(seed).pipeline();
    api::Pipeline after = before;
    after.spec.ingress.replicas = 9;
    after.spec.ingress.autoscaling = api::CpuAutoscaling{3, 9, 50, 60};
    after.spec.produce.autoscaling.reset();
    after.spec.produce.replicas = 5;
    for (api::Exporter& exporter : after.spec.exporters) {
      exporter.paused = false;
      exporter.replicas += 1;
      exporter.consumer.autoscaling = api::LagAutoscaling{1, 99, 5, 5};
    }
    EXPECT_EQ(revisions_of(rendered(before)), revisions_of(rendered(after))) << seed;
    EXPECT_EQ(rendered(before).revision, rendered(after).revision) << seed;
  }
}

// The reader decides which names are allowed; rendering must accept all of those.
std::vector<std::string> problems_of(const api::Pipeline& pipeline) {
  Json exporters = Json::array();
  for (const api::Exporter& exporter : pipeline.spec.exporters)
    exporters.push_back({{"name", exporter.name}, {"destination", {{"type", "Debug"}}}});
  config::Problems problems;
  api::read({{"apiVersion", "spanway.dev/v1alpha1"},
             {"kind", "Pipeline"},
             {"metadata", {{"name", pipeline.name}}},
             {"spec", {{"kafka", {{"bootstrapServers", "k:1"}}}, {"exporters", exporters}}}},
            problems);
  std::vector<std::string> texts;
  for (const config::Problem& problem : problems.all())
    texts.push_back(problem.path + ": " + problem.message);
  return texts;
}

// Up to three of the words that names of objects are made of.
std::vector<std::string> adversarial_names() {
  const std::vector<std::string> words = {"a",      "b",     "ingress", "topics", "consumer",
                                          "canary", "admin", "query",   "migrate"};
  std::vector<std::string> names;
  for (const std::string& first : words) {
    names.push_back(first);
    for (const std::string& second : words) {
      names.push_back(first + "-" + second);
      names.push_back(first + "--" + second);
      for (const std::string& third : words) names.push_back(first + "-" + second + "-" + third);
    }
  }
  return names;
}

bool is_allowed(const std::string& pipeline, const std::string& exporter) {
  api::Pipeline named = quickstart();
  named.name = pipeline;
  named.spec.exporters[0].name = exporter;
  return problems_of(named).empty();
}

// Every name that objects of this exporter and of its Pipeline have, whatever their kind.
std::map<std::string, std::string> object_names(const std::string& pipeline,
                                                const std::string& exporter) {
  std::map<std::string, std::string> owners;
  for (const ComponentId& id :
       {ComponentId{Role::kIngress, ""}, ComponentId{Role::kBridge, ""},
        ComponentId{Role::kQuery, ""}, ComponentId{Role::kExporter, exporter},
        ComponentId{Role::kConsumer, exporter}}) {
    const std::string owner = pipeline + " " + std::string(to_string(id.role)) + " " + id.exporter;
    const std::string object = object_name(pipeline, id);
    EXPECT_TRUE(owners.emplace(object, owner).second) << object;
    EXPECT_TRUE(owners.emplace(object + "-canary", owner).second) << object;
  }
  owners.emplace(pipeline + "-ingress-admin", pipeline + " admin");
  owners.emplace(pipeline + "-topics", pipeline + " topics");
  owners.emplace(pipeline + "-query-admin", pipeline + " query admin");
  const std::string stores = object_name(pipeline, {Role::kExporter, exporter});
  for (const char* job : {"-migrate", "-compact"})
    owners.emplace(stores + job, pipeline + " " + exporter + job);
  return owners;
}

TEST(Names, OfDifferentPipelinesAndExportersNeverCollide) {
  std::vector<std::string> pipelines;
  std::vector<std::string> exporters;
  for (const std::string& name : adversarial_names()) {
    if (is_allowed(name, "x")) pipelines.push_back(name);
    if (is_allowed("x", name)) exporters.push_back(name);
  }
  // The rules leave enough to make mistakes with.
  ASSERT_GT(pipelines.size(), 300u);
  ASSERT_GT(exporters.size(), 100u);
  std::map<std::string, std::string> owners;
  for (const std::string& pipeline : pipelines) {
    for (const std::string& exporter : exporters) {
      for (const auto& [object, owner] : object_names(pipeline, exporter))
        ASSERT_EQ(owners.emplace(object, owner).first->second, owner) << object;
    }
  }
}

// The list above is what is really rendered.
TEST(Names, AreAllThatIsRendered) {
  const auto known = object_names("quickstart", "tempo");
  for (const Manifest& manifest : all_manifests(rendered(quickstart()))) {
    std::string name = manifest.key().name;
    // These end in a hash, or are the only ones of their kind.
    if (manifest.type == kube::kConfigMaps || manifest.type == kube::kJobs)
      name.resize(name.size() - 9);
    EXPECT_TRUE(name == "quickstart" || known.contains(name)) << name;
  }
}

TEST(Names, AreLabelsOfDnsWhateverTheLength) {
  for (const auto& [name, exporter] :
       {std::pair<std::string, std::string>{"p", std::string(38, 'e')},
        {std::string(39, 'p'), "e"},
        {std::string(20, 'p'), std::string(9, 'e') + "-" + std::string(10, 'e')},
        {"a-b-c-d-e-f-g-h-i-j", "a-b-c-d-e-f-g-h-i-j"}}) {
    api::Pipeline pipeline = sample("autoscaled");
    pipeline.name = name;
    pipeline.spec.exporters[0].name = exporter;
    ASSERT_TRUE(problems_of(pipeline).empty()) << name << " " << problems_of(pipeline)[0];
    for (const Manifest& manifest : all_manifests(rendered(pipeline))) {
      const std::string object = manifest.key().name;
      EXPECT_TRUE(object[0] >= 'a' && object[0] <= 'z') << object;
      EXPECT_NE(object.back(), '-') << object;
      EXPECT_EQ(object.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
                std::string::npos)
          << object;
      // Its pods carry "<name>-<10 characters>" as a label.
      const std::size_t suffix = manifest.type == kube::kStatefulSets ? 11 : 0;
      EXPECT_LE(object.size() + suffix, 63u) << object;
      for (const auto& [key, value] : manifest.object["metadata"]["labels"].items())
        EXPECT_LE(value.get<std::string>().size(), 63u) << key;
    }
  }
}

TEST(Names, ThatAreTooLongForThatAreRefused) {
  api::Pipeline pipeline = quickstart();
  pipeline.name = std::string(30, 'p');
  pipeline.spec.exporters[0].name = std::string(11, 'e');
  EXPECT_FALSE(problems_of(pipeline).empty());
}

TEST(Names, OfConsumerGroupsAreSeparatedByACharacterThatNoNameHas) {
  api::Pipeline one = quickstart();
  one.name = "a";
  one.spec.exporters[0].name = "b-c";
  api::Pipeline other = quickstart();
  other.name = "a-b";
  other.spec.exporters[0].name = "c";
  const auto group = [](const api::Pipeline& pipeline) {
    const std::string file =
        service_config(pipeline, {Role::kConsumer, pipeline.spec.exporters[0].name});
    const std::size_t begin = file.find("  group: ");
    return file.substr(begin, file.find('\n', begin) - begin);
  };
  EXPECT_EQ(group(one), "  group: spanway.shop.a.b-c");
  EXPECT_NE(group(one), group(other));
}

// A Pipeline that the check refuses is rendered nevertheless: `render -f` shows it, and nothing may
// throw.
TEST(Properties, NonsenseIsRenderedToo) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.ingress.pods.resources = {{"limits", {{"memory", "nonsense"}}}};
  pipeline.spec.ingress.config = {{"memory_limit", Json::array()}, {"limits", 5}, {"runtime", "x"}};
  pipeline.spec.produce.config = {{"limits", {{"body_bytes_max", {{"a", 1}}}}},
                                  {"producer", false}};
  pipeline.spec.exporters[0].config = {{"otlp", 1}, {"destination", Json::array()}};
  pipeline.spec.exporters[0].consumer.config = {{"consumer", "x"}, {"memory_limit", 1}};
  config::Problems problems;
  check_configs(pipeline, sample_facts(), problems);
  EXPECT_FALSE(problems.empty());
  EXPECT_EQ(rendered(pipeline).components.size(), 4u);
}

// Without the one label that names the version, wherever it is.
void drop_version_label(Json& value) {
  if (value.is_object()) value.erase("app.kubernetes.io/version");
  if (!value.is_structured()) return;
  for (Json& inner : value) drop_version_label(inner);
}

// Paths of objects by which others are selected.
void collect_selectors(const Json& value, std::vector<const Json*>& out) {
  if (!value.is_structured()) return;
  for (const auto& [name, inner] : value.items()) {
    if (name == "selector" || name == "matchLabels" || name == "podSelector" ||
        name == "labelSelector" || name == "volumeClaimTemplates")
      out.push_back(&inner);
    collect_selectors(inner, out);
  }
}

// A version in a selector or in a pod would make each upgrade of the operator restart pods or fail
// (selectors are immutable), also where the image is pinned.
TEST(Properties, ANewVersionOfTheOperatorChangesALabelOfObjectsAndOtherwiseOnlyTheImage) {
  for (NamedPipeline& sample : sample_pipelines()) {
    sample.pipeline.spec.image.tag.clear();
    sample.pipeline.spec.image.digest = "sha256:" + std::string(64, 'a');
    ClusterFacts facts = sample_facts();
    facts.version = "1.0.0";
    const Rendering before = render(sample.pipeline, facts);
    facts.version = "2.0.0";
    const Rendering after = render(sample.pipeline, facts);
    EXPECT_EQ(before.revision, after.revision) << sample.name;
    const std::vector<Manifest> old = all_manifests(before);
    const std::vector<Manifest> now = all_manifests(after);
    ASSERT_EQ(old.size(), now.size()) << sample.name;
    for (std::size_t i = 0; i < old.size(); ++i) {
      const std::string what = sample.name + ": " + now[i].key().text();
      std::vector<const Json*> selectors;
      collect_selectors(now[i].object, selectors);
      for (const Json* selector : selectors) {
        EXPECT_EQ(kube::to_text(*selector).find("version"), std::string::npos) << what;
      }
      if (const Json* pod = pod_template_of(now[i].object); pod != nullptr) {
        EXPECT_EQ(*pod, *pod_template_of(old[i].object)) << what;
      }
      Json without_old = old[i].object;
      Json without_now = now[i].object;
      drop_version_label(without_old);
      drop_version_label(without_now);
      EXPECT_EQ(without_old, without_now) << what;
    }
  }
}

}  // namespace
}  // namespace spanway::render
