#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "services/query/store/trace_store.h"

namespace spanway::query {

// A store whose calls fail or wait, for what a store that works cannot be made to do.
class ScriptedStore final : public TraceStore {
 public:
  explicit ScriptedStore(TraceStore& real) : real_(real) {}
  Result<BlockStreamPtr> spans_of(const TraceId& id, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override {
    if (error) return Error(*error);
    return real_.spans_of(id, hint, columns, context);
  }
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override {
    return real_.resources_of(ids, context);
  }
  Result<BlockStreamPtr> newest(const SpanQuery& query, SpanColumns columns,
                                QueryContext& context) override {
    SPANWAY_TRY(enter(context));
    auto rows = real_.newest(query, columns, context);
    if (gives_up) end_early(query.range, context);
    return rows;
  }
  Result<Found> find(const SpanQuery& query, QueryContext& context) override {
    auto found = real_.find(query, context);
    if (gives_up) end_early(query.range, context);
    return found;
  }
  Result<std::vector<std::string>> services(TimeRange range, QueryContext& context) override {
    if (error) return Error(*error);
    SPANWAY_TRY(enter(context));
    return real_.services(range, context);
  }
  Result<std::vector<Operation>> operations(const std::string& service, TimeRange range,
                                            QueryContext& context) override {
    return real_.operations(service, range, context);
  }
  Result<BlockStreamPtr> spans_of(std::span<const TraceId> ids, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override {
    return real_.spans_of(ids, hint, columns, context);
  }
  Result<std::vector<TraceSummary>> summaries(std::span<const TraceId> ids,
                                              std::optional<TimeRange> hint,
                                              QueryContext& context) override {
    return real_.summaries(ids, hint, context);
  }
  Result<std::vector<AttributeKey>> attribute_keys(Scope scope, TimeRange range,
                                                   QueryContext& context) override {
    return real_.attribute_keys(scope, range, context);
  }
  Result<std::vector<Value>> values(const Subject& subject, const SpanQuery& query,
                                    QueryContext& context) override {
    return real_.values(subject, query, context);
  }
  Result<std::vector<Dependency>> dependencies(TimeRange range, QueryContext& context) override {
    return real_.dependencies(range, context);
  }
  Result<std::vector<RedRow>> red(const RedQuery& query, QueryContext& context) override {
    return real_.red(query, context);
  }
  Result<StoreStatus> status(QueryContext& context) override {
    status_time = context.deadline.remaining(system_clock().now());
    if (error) return Error(*error);
    return real_.status(context);
  }
  Status ping(QueryContext& context) override {
    if (error) return Error(*error);
    return real_.ping(context);
  }
  std::optional<Error> error;
  Duration status_time = Duration::max();
  std::optional<std::promise<void>> entered;
  std::promise<void> release;
  bool waits_for_cancel = false;
  bool gives_up = false;  // At a limit, once it has found something.

 private:
  static void end_early(TimeRange range, QueryContext& context) {
    context.cost.rows_read = 12;
    context.cost.waited = std::chrono::milliseconds(3);
    context.coverage = {.requested = range,
                        .searched = {.begin = 1'700'000'000'000'000'000, .end = range.end},
                        .complete = false,
                        .why = "12 rows\nwere read"};
  }
  Status enter(QueryContext& context) {
    if (entered && !has_entered_.exchange(true)) entered->set_value();
    if (waits_for_cancel) {
      std::promise<void> cancelled;
      const auto registration = context.cancel.on_cancel([&] { cancelled.set_value(); });
      cancelled.get_future().wait();
      return transient_error(Code::kCancelled, "cancelled");
    }
    if (entered) release.get_future().wait();
    return {};
  }

  TraceStore& real_;
  // A query that waits in the queue may enter, too, before its own cancellation reaches it.
  std::atomic<bool> has_entered_{false};
};

}  // namespace spanway::query
