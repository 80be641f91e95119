// The section `insight` of the query service's configuration. Plain values; no transport, so that
// the operator can link it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/secret.h"
#include "services/lib/config/binder.h"
#include "services/query/insight/thresholds.h"

namespace spanway::query {

struct InsightConfig {
  bool enabled = true;
  Duration interval = std::chrono::seconds(30);
  Duration delay = std::chrono::minutes(2);
  Duration final_delay = std::chrono::minutes(15);
  Duration catch_up = std::chrono::hours(1);
  Duration window_time = std::chrono::minutes(1);
  std::int64_t traces = 20'000;
  std::int64_t operations = 2'000;
  config::ByteSize memory{48u << 20};
  config::ByteSize cache{16u << 20};
  std::vector<std::string> tenants;
  std::int64_t tenants_max = 100;
  std::string username;
  Secret password;
  insight::Thresholds thresholds;
};

void describe(config::Binder& b, InsightConfig& c);
void validate(const InsightConfig& c, config::Problems& problems);

}  // namespace spanway::query
