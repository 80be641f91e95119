// Every threshold of the insight, with its default.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace spanway::query::insight {

// For rates and latencies alike: a window is conspicuous when its p-value is small, also among all
// the tests of that window (Benjamini-Hochberg), and the change is large enough to matter; an
// operation is reported when the newest window and enough of those before it are conspicuous.
struct WindowThresholds {
  std::size_t windows = 3;              // The newest and those before it.
  std::size_t windows_conspicuous = 2;  // Among them, the newest among them.
  double p_max = 1e-4;
  double false_discovery_rate = 0.01;
};

struct LatencyThresholds {
  double p95_growth_min = 0.25;  // A part of the baseline's 95th percentile.
  std::uint64_t calls_min = 50;  // In a window.
  std::uint64_t baseline_calls_min = 200;
};

struct ErrorRateThresholds {
  double growth_min = 0.01;  // One percentage point above the expected rate.
  std::uint64_t calls_min = 50;
  std::uint64_t errors_min = 5;
  double deviations = 3;  // In those of the baseline (1.4826 MAD), which are expected.
  std::uint64_t baseline_calls_min = 200;
};

struct CallRateThresholds {
  double change_min = 0.5;         // Up or down by half of the baseline's median.
  double calls_expected_min = 30;  // In a window: the median, or for more calls those seen.
  double deviations = 3;
  std::size_t baseline_windows_min = 24;
};

struct NPlusOneThresholds {
  std::size_t siblings_min = 10;
  double sequential_part_min =
      0.8;  // The part of siblings that begin after all before them have ended.
  std::uint64_t traces_min = 1;
};

struct CriticalPathThresholds {
  double part_min = 0.5;  // A part of the time of all the roots.
  std::uint64_t traces_min = 20;
};

struct RelationThresholds {
  std::uint64_t traces_min = 5;  // Slow or failed ones with the token.
  double log_odds_min = 1;       // Natural logarithm; 1 = the odds are 2.7 times those of others.
  double false_discovery_rate = 0.01;
  std::size_t results_max = 10;  // For one operation.
  // A trace is slow beyond this quantile of its operation.
  double slow_quantile = 0.95;
  std::size_t tokens_max = 200'000;   // Distinct ones of an operation; later ones are not counted.
  std::size_t token_bytes_max = 256;  // Longer values are not counted.
  // These state the failure once more, and are no cause of it. A key that ends in "." is a prefix.
  std::vector<std::string> symptom_keys = {"error",
                                           "error.",
                                           "exception.",
                                           "http.response.status_code",
                                           "http.status_code",
                                           "http.status_text",
                                           "rpc.grpc.status_code",
                                           "rpc.response.status_code",
                                           "db.response.status_code",
                                           "otel.status_code",
                                           "otel.status_description",
                                           "http.response.body.size",
                                           "http.response_content_length"};
};

struct Thresholds {
  WindowThresholds windows = {};
  LatencyThresholds latency = {};
  ErrorRateThresholds error_rate = {};
  CallRateThresholds call_rate = {};
  NPlusOneThresholds n_plus_one = {};
  CriticalPathThresholds critical_path = {};
  RelationThresholds relation = {};
};

}  // namespace spanway::query::insight
