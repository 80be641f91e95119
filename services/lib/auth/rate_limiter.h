// How much a tenant may send: one token bucket in items and one in bytes per tenant.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/lib/auth/auth_config.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"

namespace spanway::auth {

// Thread-safe: one mutex per shard of tenants. Bound: `tenants_max` buckets. When all are taken,
// the longest unused one is forgotten if it is full again (so nothing is given away); otherwise new
// tenants share one bucket, so that invented names cannot raise a client's limit.
class RateLimiter {
 public:
  RateLimiter(const RateLimitConfig& config, const Clock& clock);

  // False when nothing is limited; take() then always passes at once.
  bool enabled() const noexcept { return enabled_; }
  // Takes all or nothing. Nothing returned = taken; else how long to wait until as much would pass.
  // A request larger than a whole burst passes when its bucket is full and leaves a debt.
  std::optional<Duration> take(std::string_view tenant, std::uint64_t items, std::uint64_t bytes);
  // Buckets in memory, without the shared ones.
  std::size_t tenant_count() const;

 private:
  struct Rate {
    double per_second = 0;  // 0 = no limit.
    double burst = 0;
  };
  struct Rates {
    Rate items;
    Rate bytes;
    bool unlimited() const noexcept { return items.per_second <= 0 && bytes.per_second <= 0; }
  };
  struct Bucket {
    double items = 0;
    double bytes = 0;
    SteadyTime updated;
  };
  struct Entry {
    std::string tenant;
    Rates rates;
    Bucket bucket;
  };
  using Entries = std::list<Entry>;  // Most recently used first.
  struct Shard {
    mutable Mutex mutex;
    Entries entries SPANWAY_GUARDED_BY(mutex);
    // Keys are views into `entries`.
    std::unordered_map<std::string_view, Entries::iterator> index SPANWAY_GUARDED_BY(mutex);
    Bucket overflow SPANWAY_GUARDED_BY(mutex);
  };

  static Rates make_rates(std::int64_t items, config::ByteSize bytes, std::int64_t items_burst,
                          config::ByteSize bytes_burst);
  static void refill(Bucket& bucket, const Rates& rates, SteadyTime now) noexcept;
  static std::optional<Duration> take_from(Bucket& bucket, const Rates& rates, SteadyTime now,
                                           double items, double bytes) noexcept;
  const Rates& rates_of(std::string_view tenant) const;
  Entry* find_or_add(Shard& shard, std::string_view tenant, const Rates& rates, SteadyTime now)
      SPANWAY_REQUIRES(shard.mutex);
  bool make_room(Shard& shard, SteadyTime now) SPANWAY_REQUIRES(shard.mutex);

  const Clock& clock_;
  const Rates default_rates_;
  std::map<std::string, Rates, std::less<>> overrides_;
  bool enabled_ = false;
  std::size_t shard_tenants_max_ = 1;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace spanway::auth
