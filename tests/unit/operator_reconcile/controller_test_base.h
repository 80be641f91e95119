// ControllerTest: a controller over a Kubernetes in memory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "operator/reconcile/controller.h"
#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {

class ControllerTest : public testing::Test {
 protected:
  std::vector<std::string> writes_without_status() {
    std::vector<std::string> out;
    for (const std::string& write : fixture_.kube.writes())
      if (!write.starts_with("patch pipelines/status")) out.push_back(write);
    return out;
  }
  Json object() const { return fixture_.kube.at(kube::kPipelines, {"team", "p"}); }
  Json deployment(const char* name) const {
    return fixture_.kube.at(kube::kDeployments, {"team", name});
  }
  // Consumers of 12 partitions report `lag`, which outlives this.
  void report_lag(const double& lag) {
    fixture_.statusz.answer = [&lag](const std::string& pod) {
      decide::StatuszReport report;
      report.ready = report.answered = report.kafka_reachable = true;
      report.has_destination = report.destination_reachable = true;
      if (pod.find("consumer") == std::string::npos) return report;
      decide::TopicReport& topic = report.topics.emplace_back();
      topic.name = "otel.traces";
      topic.partitions = 12;
      for (int i = 0; i < 6; ++i) {
        decide::PartitionReport& partition = report.partitions.emplace_back();
        partition.topic = "otel.traces";
        partition.partition = i;
        partition.lag_messages = 1000;
        partition.lag_seconds = lag;
      }
      return report;
    };
  }
  static Json pipeline_that_scales_by_lag() {
    Json object = ControllerFixture::pipeline();
    object["spec"]["exporters"][0]["consumer"]["autoscaling"] = {
        {"minReplicas", 2}, {"maxReplicas", 6}, {"targetLagSeconds", 10}};
    return object;
  }
  std::int64_t consumers() const {
    return kube::int_at(fixture_.kube.at(kube::kStatefulSets, {"team", "p-tempo-consumer"}),
                        "spec/replicas");
  }
  ControllerFixture fixture_;
};

}  // namespace spanway::reconcile
