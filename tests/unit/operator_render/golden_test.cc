// The objects of each sample Pipeline, compared with golden files. After an intended change:
//   SPANWAY_UPDATE_GOLDEN=1 build/dev/bin/operator_render_test
// and read the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "operator/api/yaml.h"
#include "services/lib/config/load.h"
#include "tests/unit/operator_render/pipelines.h"

namespace spanway::render {
namespace {

// Fields that all objects of a Pipeline share are written once, at the top of its file.
Json common_metadata(const Json& object) {
  Json labels = object["metadata"]["labels"];
  for (const char* own :
       {"app.kubernetes.io/component", api::kComponentLabel, api::kExporterLabel, api::kTrackLabel})
    labels.erase(own);
  return {{"labels", labels},
          {"namespace", object["metadata"]["namespace"]},
          {"ownerReferences", object["metadata"]["ownerReferences"]}};
}

// Leaves out of `object` what `other` has as well.
void leave_out(Json& object, const Json& other) {
  if (object.is_array() && other.is_array() && object.size() == 1 && other.size() == 1)
    return leave_out(object[0], other[0]);
  if (!object.is_object() || !other.is_object()) return;
  for (const auto& [key, value] : other.items()) {
    const auto own = object.find(key);
    if (own == object.end()) continue;
    if (*own == value)
      object.erase(own);
    else
      leave_out(*own, value);
  }
}

// A configuration file is printed as it is below its ConfigMap, not as one quoted line.
std::string text_of(const Manifest& manifest, Json object) {
  std::string file;
  if (const Json* data = kube::find(object, "data/config.yaml")) {
    file = "# config.yaml:\n" + data->get<std::string>();
    object.erase("data");
  }
  return "--- # " + std::string(manifest.type.kind) + " " + manifest.key().name + "\n" +
         api::to_yaml(object) + file;
}

std::string text_of(const Rendering& rendering) {
  const Json common = common_metadata(rendering.components.at(0).workload.object);
  std::string out = "# In every object:\n" + api::to_yaml({{"metadata", common}});
  const auto add = [&](const Manifest& manifest, Json object) {
    leave_out(object["metadata"], common);
    out += text_of(manifest, std::move(object));
  };
  const auto add_whole = [&](const Manifest& manifest) { add(manifest, manifest.object); };
  std::for_each(rendering.shared.begin(), rendering.shared.end(), add_whole);
  if (rendering.topics_job) add_whole(*rendering.topics_job);
  for (const MigrateJob& migrate : rendering.migrate_jobs) add_whole(migrate.job);
  for (const Component& component : rendering.components) {
    std::for_each(component.support.begin(), component.support.end(), add_whole);
    add_whole(component.workload);
    out += "# As " + component.workload.key().name + ", but:\n";
    Json canary = component.canary.object;
    leave_out(canary["spec"], component.workload.object["spec"]);
    add(component.canary, std::move(canary));
  }
  return out;
}

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Golden : public testing::TestWithParam<NamedPipeline> {};

TEST_P(Golden, RendersAsRecorded) {
  const std::string path = "tests/golden/operator/" + GetParam().name + ".yaml";
  const std::string text = text_of(render(GetParam().pipeline, sample_facts()));
  if (std::getenv("SPANWAY_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  const std::string recorded = read(path);
  ASSERT_FALSE(recorded.empty()) << path << " is missing";
  EXPECT_EQ(recorded, text);
}

TEST_P(Golden, PassesTheServicesOwnCheck) {
  config::Problems problems;
  check_configs(GetParam().pipeline, sample_facts(), problems);
  EXPECT_EQ(config::format(problems, GetParam().name), "");
}

std::string name_of(const testing::TestParamInfo<NamedPipeline>& sample) {
  std::string name = sample.param.name;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Samples, Golden, testing::ValuesIn(sample_pipelines()), name_of);

}  // namespace
}  // namespace spanway::render
