#include "services/lib/auth/rate_limiter.h"

#include <algorithm>
#include <cmath>

namespace spanway::auth {
namespace {

constexpr std::size_t kShards = 16;
// With fewer tenants than this, an even spread over shards cannot be counted on.
constexpr std::int64_t kShardedTenantsMin = 1024;
// How many of the longest unused buckets are searched for one to evict.
constexpr int kEvictionTries = 4;

// How long until `tokens` reaches what a request of `amount` has to find.
double missing_seconds(double tokens, double amount, double per_second, double burst) noexcept {
  if (per_second <= 0) return 0;
  return std::max(0.0, (std::min(amount, burst) - tokens) / per_second);
}

}  // namespace

RateLimiter::Rates RateLimiter::make_rates(std::int64_t items, config::ByteSize bytes,
                                           std::int64_t items_burst, config::ByteSize bytes_burst) {
  Rates rates;
  rates.items.per_second = static_cast<double>(items);
  rates.items.burst = static_cast<double>(items_burst > 0 ? items_burst : items);
  rates.bytes.per_second = static_cast<double>(bytes.bytes);
  rates.bytes.burst = static_cast<double>(bytes_burst.bytes > 0 ? bytes_burst.bytes : bytes.bytes);
  return rates;
}

RateLimiter::RateLimiter(const RateLimitConfig& config, const Clock& clock)
    : clock_(clock),
      default_rates_(make_rates(config.items_per_second, config.bytes_per_second,
                                config.items_burst, config.bytes_burst)) {
  enabled_ = !default_rates_.unlimited();
  for (const TenantRateConfig& rate : config.overrides) {
    const Rates rates = make_rates(rate.items_per_second, rate.bytes_per_second, rate.items_burst,
                                   rate.bytes_burst);
    enabled_ = enabled_ || !rates.unlimited();
    overrides_.emplace(rate.tenant, rates);
  }
  const std::size_t shards = config.tenants_max >= kShardedTenantsMin ? kShards : 1;
  shard_tenants_max_ =
      std::max<std::size_t>(1, static_cast<std::size_t>(config.tenants_max) / shards);
  for (std::size_t i = 0; i < shards; ++i) {
    auto shard = std::make_unique<Shard>();
    MutexLock lock(shard->mutex);
    shard->overflow = {default_rates_.items.burst, default_rates_.bytes.burst, clock_.now()};
    shards_.push_back(std::move(shard));
  }
}

const RateLimiter::Rates& RateLimiter::rates_of(std::string_view tenant) const {
  const auto found = overrides_.find(tenant);
  return found == overrides_.end() ? default_rates_ : found->second;
}

void RateLimiter::refill(Bucket& bucket, const Rates& rates, SteadyTime now) noexcept {
  const double seconds = std::chrono::duration<double>(now - bucket.updated).count();
  if (seconds <= 0) return;
  bucket.items = std::min(rates.items.burst, bucket.items + seconds * rates.items.per_second);
  bucket.bytes = std::min(rates.bytes.burst, bucket.bytes + seconds * rates.bytes.per_second);
  bucket.updated = now;
}

std::optional<Duration> RateLimiter::take_from(Bucket& bucket, const Rates& rates, SteadyTime now,
                                               double items, double bytes) noexcept {
  refill(bucket, rates, now);
  const double wait =
      std::max(missing_seconds(bucket.items, items, rates.items.per_second, rates.items.burst),
               missing_seconds(bucket.bytes, bytes, rates.bytes.per_second, rates.bytes.burst));
  if (wait > 0) {
    constexpr double kWaitMax = 3600;
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(std::min(wait, kWaitMax)));
  }
  if (rates.items.per_second > 0) bucket.items -= items;
  if (rates.bytes.per_second > 0) bucket.bytes -= bytes;
  return std::nullopt;
}

bool RateLimiter::make_room(Shard& shard, SteadyTime now) {
  if (shard.entries.size() < shard_tenants_max_) return true;
  auto candidate = shard.entries.end();
  for (int tries = 0; tries < kEvictionTries && candidate != shard.entries.begin(); ++tries) {
    --candidate;
    refill(candidate->bucket, candidate->rates, now);
    const bool full = candidate->bucket.items >= candidate->rates.items.burst &&
                      candidate->bucket.bytes >= candidate->rates.bytes.burst;
    if (!full) continue;
    shard.index.erase(candidate->tenant);
    shard.entries.erase(candidate);
    return true;
  }
  return false;
}

RateLimiter::Entry* RateLimiter::find_or_add(Shard& shard, std::string_view tenant,
                                             const Rates& rates, SteadyTime now) {
  const auto found = shard.index.find(tenant);
  if (found != shard.index.end()) {
    shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
    return &*found->second;
  }
  if (!make_room(shard, now)) return nullptr;
  shard.entries.push_front(
      {std::string(tenant), rates, {rates.items.burst, rates.bytes.burst, now}});
  shard.index.emplace(shard.entries.front().tenant, shard.entries.begin());
  return &shard.entries.front();
}

std::optional<Duration> RateLimiter::take(std::string_view tenant, std::uint64_t items,
                                          std::uint64_t bytes) {
  if (!enabled_) return std::nullopt;
  const Rates& rates = rates_of(tenant);
  if (rates.unlimited()) return std::nullopt;
  const SteadyTime now = clock_.now();
  Shard& shard = *shards_[std::hash<std::string_view>{}(tenant) % shards_.size()];
  MutexLock lock(shard.mutex);
  Entry* const entry = find_or_add(shard, tenant, rates, now);
  if (entry == nullptr)
    return take_from(shard.overflow, default_rates_, now, static_cast<double>(items),
                     static_cast<double>(bytes));
  return take_from(entry->bucket, rates, now, static_cast<double>(items),
                   static_cast<double>(bytes));
}

std::size_t RateLimiter::tenant_count() const {
  std::size_t count = 0;
  for (const auto& shard : shards_) {
    MutexLock lock(shard->mutex);
    count += shard->entries.size();
  }
  return count;
}

}  // namespace spanway::auth
