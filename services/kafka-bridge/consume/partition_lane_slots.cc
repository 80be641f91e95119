// The slots of `max_in_flight_per_partition`, shared by the tenants of a partition.
#include <algorithm>
#include <map>
#include <set>

#include "services/kafka-bridge/consume/partition_lane.h"
#include "services/lib/runtime/statusz.h"

namespace spanway::kafka_bridge {
namespace {

// A tenant is slow when a request of it has been without an answer for so long, and no other batch
// of it in this partition was answered meanwhile.
constexpr Duration kSlowAfter = std::chrono::seconds(1);

// Counts the slots of each tenant. A prompt tenant may take any that is free. What slow tenants
// hold does not count against others, up to as many slots as there are; beyond that it does, and a
// tenant that holds none still gets one.
class Slots {
 public:
  // `by_tenant`: some are slow.
  Slots(std::size_t limit, bool by_tenant) : limit_(limit), by_tenant_(by_tenant) {}
  void hold(std::string_view tenant, bool slow) {
    if (by_tenant_) ++held_[tenant];
    ++(slow ? slow_ : prompt_);
  }
  bool free_for(std::string_view tenant, bool slow) const {
    if (!by_tenant_) return prompt_ < limit_;
    const auto found = held_.find(tenant);
    const std::size_t own = found == held_.end() ? 0 : found->second;
    if (own == 0 && slow_ > 0) return true;
    const std::size_t slow_others = slow_ - (slow ? own : 0);
    const std::size_t counted = prompt_ + (slow ? own : 0);
    return counted + slow_others - std::min(slow_others, limit_) < limit_;
  }

 private:
  const std::size_t limit_;
  const bool by_tenant_;
  std::map<std::string_view, std::size_t> held_;
  std::size_t prompt_ = 0;
  std::size_t slow_ = 0;
};

}  // namespace

// Stalled batches do not count.
std::size_t PartitionLane::in_flight() const {
  std::size_t count = 0;
  for_deliveries([&count](const Delivery& d) { count += d.holds_slot() ? 1 : 0; });
  return count;
}

// Starts at most one batch beyond the limit, as control batch for those that fail. With a limit of
// one, batches of a tenant keep their order, also while it stalls.
void PartitionLane::pump() {
  if (draining_) return;
  const bool ordered = options_.max_in_flight == 1;
  bool extra = false;
  std::set<std::string_view> busy;
  for_deliveries([&](const Delivery& d) {
    extra = extra || d.needs_control_batch();
    if (ordered && d.started() && !d.done()) busy.insert(d.stream().tenant);
  });
  Slots slots(options_.max_in_flight + (extra ? 1 : 0), !slow_.empty());
  const auto slow = [this](const Delivery& d) {
    return !slow_.empty() && slow_.count(d.stream().tenant) > 0;
  };
  for_deliveries([&](const Delivery& d) {
    if (d.holds_slot()) slots.hold(d.stream().tenant, slow(d));
  });
  for (const OpenBatchRange& batch_range : open_) {
    if (options_.batch_identity && batch_range.number > planned_) break;
    for (const auto& delivery : batch_range.deliveries) {
      if (delivery->started()) continue;
      const std::string_view tenant = delivery->stream().tenant;
      if (!slots.free_for(tenant, slow(*delivery))) {
        if (slow_.empty()) return watch_slow();
        continue;
      }
      if (ordered && !busy.insert(tenant).second) {
        if (!extra) continue;
        extra = false;
      }
      slots.hold(tenant, slow(*delivery));
      delivery->start();
    }
  }
  watch_slow();
}

// Without other tenants no tenant needs a free slot.
void PartitionLane::find_slow() {
  slow_.clear();
  if (!deps_.ledger.has_tenants(options_.signal)) return;
  const SteadyTime now = deps_.executor.clock().now();
  for_deliveries([&](const Delivery& d) {
    const std::string& tenant = d.stream().tenant;
    if (!d.holds_slot() || slow_.count(tenant) > 0) return;
    const bool fails = deps_.ledger.failing_since(d.stream()).has_value();
    const auto since = d.unanswered_since();
    const bool unanswered = since && now - *since >= kSlowAfter;
    if (!fails && !unanswered) return;
    const auto settled = settled_.find(tenant);
    if (fails || settled == settled_.end() || now - settled->second.at >= kSlowAfter) {
      slow_.insert(tenant);
    }
  });
}

// Time alone makes a tenant slow.
void PartitionLane::watch_slow() {
  if (slow_watched_ || draining_ || open_.empty()) return;
  if (!deps_.ledger.has_tenants(options_.signal)) return;
  slow_watched_ = true;
  slow_timer_ = deps_.executor.post_after(kSlowAfter, guard_.wrap([this] {
    slow_watched_ = false;
    collect();
  }));
}

std::vector<PartitionLane::TenantState> PartitionLane::tenants() const {
  std::map<std::string_view, TenantState> found;
  const auto at = [&found](std::string_view tenant) -> TenantState& { return found[tenant]; };
  for (const std::string& tenant : slow_) at(tenant).slow = true;
  for (const auto& [tenant, stretches] : unread_.tenants()) at(tenant).left_in_kafka = true;
  for_deliveries([&](const Delivery& d) {
    if (d.stalled()) at(d.stream().tenant).stalled = true;
  });
  const SteadyTime now = deps_.executor.clock().now();
  for_deliveries([&](const Delivery& d) {
    const auto entry = found.find(d.stream().tenant);
    if (entry == found.end()) return;
    TenantState& state = entry->second;
    state.in_flight += d.holds_slot() ? 1 : 0;
    state.waiting += d.started() ? 0 : 1;
    if (const auto since = d.unanswered_since()) {
      state.unanswered = std::max<Duration>(state.unanswered, now - *since);
    }
  });
  std::vector<TenantState> tenants;
  for (auto& [tenant, state] : found) {
    if (tenants.size() == runtime::Statusz::kTenantsMax) break;
    state.tenant = tenant;
    state.stalled = state.stalled || deps_.stalls.stalled({options_.signal, state.tenant});
    tenants.push_back(std::move(state));
  }
  return tenants;
}

}  // namespace spanway::kafka_bridge
