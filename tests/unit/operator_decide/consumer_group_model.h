// A group of consumers as the lag scaler sees it, simulated by the second.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "operator/decide/lag_scaler.h"

namespace spanway::decide {

inline constexpr std::int64_t kStartMs = 1'800'000'000'000;

inline api::LagAutoscaling rules(std::int64_t min, std::int64_t max) {
  return {.min_replicas = min,
          .max_replicas = max,
          .target_lag_seconds = 30,
          .scale_down_stabilization_seconds = 300};
}

inline std::vector<PartitionReport> even_lag(std::int64_t partitions, double seconds) {
  std::vector<PartitionReport> reports;
  for (std::int64_t i = 0; i < partitions; ++i) {
    PartitionReport report;
    report.topic = "otel.traces";
    report.partition = static_cast<std::int32_t>(i);
    report.lag_seconds = seconds;
    reports.push_back(report);
  }
  return reports;
}

// A group of consumers by the second: each can read `per_consumer` records a second, records come
// at `load` a second, and a rebalance stops all of them for a moment.
class ConsumerGroupModel {
 public:
  ConsumerGroupModel(api::LagAutoscaling scaling, std::int64_t partitions, double per_consumer)
      : scaling_(scaling), per_consumer_(per_consumer) {
    backlog_.resize(static_cast<std::size_t>(partitions));
    share_.assign(backlog_.size(), 1.0 / static_cast<double>(partitions));
    replicas_ = scaling.min_replicas;
  }

  void run(std::int64_t seconds, const std::function<double(std::int64_t)>& load) {
    for (std::int64_t i = 0; i < seconds; ++i, ++second_) {
      step(load(second_));
      if (second_ % 10 == 0) scale();
    }
  }

  double worst_lag(double load) const {
    double worst = 0;
    for (std::size_t i = 0; i < backlog_.size(); ++i) {
      worst = std::max(worst, lag_of(i, load));
    }
    return worst;
  }
  void make_hot(std::size_t partition, double share) {
    for (double& one : share_) one = (1 - share) / static_cast<double>(share_.size() - 1);
    share_[partition] = share;
  }
  void stall_all(bool stalled) { stalled_ = stalled; }
  void lose_reports(bool lost) { lost_ = lost; }

  std::int64_t replicas() const { return replicas_; }
  int changes = 0;
  int ups = 0;
  int downs = 0;
  LagScalerDecision last;

 private:
  double lag_of(std::size_t partition, double load) const {
    return backlog_[partition] / std::max(0.001, load * share_[partition]);
  }

  void step(double load) {
    load_ = load;
    const std::size_t consumers = static_cast<std::size_t>(replicas_);
    for (std::size_t i = 0; i < backlog_.size(); ++i) backlog_[i] += load * share_[i];
    if (stalled_ || second_ < paused_until_) return;
    for (std::size_t consumer = 0; consumer < consumers; ++consumer) read_some(consumer, consumers);
  }

  void read_some(std::size_t consumer, std::size_t consumers) {
    double all = 0;
    double most = 0;
    for (std::size_t i = consumer; i < backlog_.size(); i += consumers) {
      all += backlog_[i];
      most = std::max(most, backlog_[i]);
    }
    const bool everything = all <= per_consumer_ && most <= per_partition_max_;
    left_of_.assign(backlog_.size(), per_partition_max_);
    double left = per_consumer_;
    for (int pass = 0; pass < 3 && left > 0; ++pass) {
      // First the same for each of its partitions, then what the others leave.
      const double fair = everything || pass == 2
                              ? left
                              : left / std::ceil(static_cast<double>(backlog_.size()) /
                                                 static_cast<double>(consumers));
      for (std::size_t i = consumer; i < backlog_.size(); i += consumers) {
        const double read = std::min({backlog_[i], fair, left, left_of_[i]});
        backlog_[i] -= read;
        left_of_[i] -= read;
        left -= read;
      }
      if (everything) return;
    }
  }

  void scale() {
    LagScalerInput input;
    input.rules = scaling_;
    input.replicas = replicas_;
    input.partitions = static_cast<std::int64_t>(backlog_.size());
    input.complete = !lost_;
    input.now_ms = kStartMs + second_ * 1000;
    if (!lost_) {
      input.lag = even_lag(input.partitions, 0);
      for (std::size_t i = 0; i < backlog_.size(); ++i) {
        input.lag[i].lag_seconds = lag_of(i, load_);
        input.lag[i].stalled = stalled_;
      }
    }
    last = scale_by_lag(input, memory_);
    memory_ = last.memory;
    check(input);
    if (last.replicas == replicas_) return;
    ++changes;
    ++(last.replicas > replicas_ ? ups : downs);
    replicas_ = last.replicas;
    paused_until_ = second_ + 6;
  }

  void check(const LagScalerInput& input) const {
    EXPECT_GE(last.replicas, scaling_.min_replicas);
    EXPECT_LE(last.replicas, scaling_.max_replicas);
    EXPECT_LE(last.replicas, input.partitions);
    EXPECT_LE(last.replicas, 2 * input.replicas) << "a bounded step";
    EXPECT_GE(last.replicas * 2, input.replicas) << "a bounded step";
    if (lost_) {
      EXPECT_EQ(last.replicas, input.replicas);
    }
  }

 public:
  double per_partition_max_ = 1e9;

 private:
  const api::LagAutoscaling scaling_;
  const double per_consumer_;
  std::vector<double> backlog_;
  std::vector<double> share_;
  std::vector<double> left_of_;
  std::int64_t replicas_ = 1;
  std::int64_t second_ = 1;
  std::int64_t paused_until_ = 0;
  bool stalled_ = false;
  bool lost_ = false;
  double load_ = 0;
  LagScalerMemory memory_;
};

inline std::function<double(std::int64_t)> steady(double load) {
  return [load](std::int64_t) { return load; };
}

}  // namespace spanway::decide
