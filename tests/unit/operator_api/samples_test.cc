#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

constexpr char kDataSources[] = "k8s/samples/grafana-datasources.yaml";

// Samples may bring other objects along (Secrets); those are not ours to validate.
TEST(Samples, AreAllValid) {
  for (const std::string& path : yaml_files("k8s/samples")) {
    if (path == kDataSources) continue;
    std::size_t pipelines = 0;
    for (const Json& object : documents(file_text(path), path)) {
      if (kube::string_at(object, "kind") != "Pipeline") continue;
      ++pipelines;
      config::Problems problems;
      read(object, problems);
      EXPECT_THAT(texts(problems), testing::IsEmpty()) << path;
    }
    EXPECT_GE(pipelines, 1u) << path;
  }
}

// The file that Grafana reads names the Service of the sample Pipeline that it is for.
TEST(Samples, GrafanasDataSourcesAreTheQueryService) {
  const Json pipeline = documents(file_text("k8s/samples/query.yaml"), "query.yaml").at(0);
  const std::string service =
      "http://" + kube::string_at(pipeline, "metadata/name") + "-query.default:8081";
  const Json map = documents(file_text(kDataSources), kDataSources).at(0);
  EXPECT_EQ(kube::string_at(map, "kind"), "ConfigMap");
  EXPECT_EQ(kube::string_at(map, "metadata/labels/grafana_datasource"), "1");
  const Json file = documents(kube::string_at(map, "data/spanway.yaml"), "spanway.yaml").at(0);
  std::map<std::string, std::string> urls;
  std::set<std::string> uids;
  for (const Json& one : file["datasources"]) {
    urls[kube::string_at(one, "type")] = kube::string_at(one, "url");
    uids.insert(kube::string_at(one, "uid"));
  }
  EXPECT_EQ(urls, (std::map<std::string, std::string>{{"jaeger", service},
                                                      {"loki", service},
                                                      {"prometheus", service},
                                                      {"tempo", service + "/tempo"}}));
  // Links from one to another.
  for (const char* link :
       {"datasources/0/jsonData/tracesToLogsV2", "datasources/0/jsonData/serviceMap",
        "datasources/3/jsonData/derivedFields/0"})
    EXPECT_TRUE(uids.contains(kube::string_at(file, std::string(link) + "/datasourceUid"))) << link;
}

}  // namespace
}  // namespace spanway::api
