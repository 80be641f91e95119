// RolloutFaults: a rollout and what goes wrong meanwhile.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_decide/rollout_fixture.h"

namespace spanway::decide {

class RolloutFaults : public RolloutTest {
 protected:
  void take_pods(std::size_t part) {
    views_[part].stable.replicas = views_[part].stable.ready = views_[part].stable.updated = 0;
    views_[part].stable.settled = true;
    views_[part].pods.clear();
  }
  void fail_the_ingress() {
    roll_the_ingress();
    canary(kIngress).crash_looping = true;
    canary(kIngress).problem = "pod canary: container ingress exited with 1 (Error): no";
    ASSERT_TRUE(decide_next().just_failed);
  }
  // Answers of all pods: those of bridges and consumers reach Kafka or do not.
  void set_reports(bool kafka_reachable) {
    asks_ = true;
    reports_.clear();
    for (const ComponentView& view : views_) {
      for (const PodView& pod : view.pods) {
        StatuszReport& report = reports_[pod.name];
        report.answered = true;
        report.ready = pod.ready;
        report.kafka_reachable = kafka_reachable;
        if (!kafka_reachable) report.last_error = "all brokers are down";
      }
    }
  }
};

}  // namespace spanway::decide
