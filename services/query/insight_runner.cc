#include "services/query/insight_runner.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "services/lib/base/thread.h"

namespace spanway::query {
namespace {

std::size_t share_of(config::ByteSize bytes, const QueryConfig& config, std::uint64_t shares) {
  return static_cast<std::size_t>(std::min(bytes.bytes, budget_bytes(config) / shares));
}

InsightJobOptions options_of(const QueryConfig& config) {
  const InsightConfig& own = config.insight;
  InsightJobOptions options;
  options.delay = own.delay;
  options.final_delay = own.final_delay;
  options.catch_up = own.catch_up;
  options.window_time = own.window_time;
  options.limits.rows_max = static_cast<std::uint64_t>(config.limits.rows_read);
  options.limits.bytes_max = config.limits.bytes_read.bytes;
  options.limits.store_memory_max = config.limits.store_memory.bytes;
  options.limits.spans_max = static_cast<std::uint64_t>(config.limits.spans_per_trace);
  options.memory_bytes_max = share_of(own.memory, config, 4);
  options.thresholds = own.thresholds;
  options.bounds.traces_max = static_cast<std::size_t>(own.traces);
  options.bounds.memory_bytes_max = options.memory_bytes_max;
  options.bounds.operations_max = static_cast<std::size_t>(own.operations);
  return options;
}

InsightJob::Tenants tenants_of(const InsightConfig& config, ConfiguredStore& store) {
  const auto limit = static_cast<std::size_t>(config.tenants_max);
  if (config.tenants.empty())
    return [&store, limit](TimeRange range, QueryContext& context) {
      return store.tenants(range, limit, context);
    };
  std::vector<std::string> tenants = config.tenants;
  tenants.resize(std::min(tenants.size(), limit));
  return [tenants = std::move(tenants)](TimeRange, QueryContext&) {
    return Result<std::vector<std::string>>(tenants);
  };
}

}  // namespace

InsightRunner::InsightRunner(const QueryConfig& config, const runtime::ServiceDeps& deps,
                             ConfiguredStore& store, MemoryBudget& budget)
    : interval_(config.insight.interval),
      events_(deps.telemetry),
      memory_(share_of(config.insight.cache, config, 8)),
      stored_(store.insight() == nullptr
                  ? nullptr
                  : std::make_unique<FallbackInsightStore>(
                        *store.insight(), memory_,
                        [this](const Status& written) { events_.kept_in_memory(written); })),
      job_(options_of(config), {store.traces(), results(), budget, deps.clock, events_,
                                tenants_of(config.insight, store)}) {
  if (!stored_) events_.has_no_tables();
}

InsightRunner::~InsightRunner() {
  job_.cancel();
  thread_.reset();
}

InsightStore& InsightRunner::results() noexcept {
  if (stored_) return *stored_;
  return memory_;
}

void InsightRunner::start() {
  thread_.emplace(start_thread("insight", [this](const std::stop_token& stop) { run(stop); }));
}

void InsightRunner::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      stopped_.wait_for(mutex_, stop, interval_, [] { return false; });
    }
    if (!stop.stop_requested()) job_.run_due();
  }
}

}  // namespace spanway::query
