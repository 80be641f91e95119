#include "services/query/insight_job/insight_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/query/insight_job/fallback_insight_store.h"
#include "services/query/store/memory/memory_insight_store.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/query/scripted_store.h"

namespace spanway::query {
namespace {

using fakes::ProtoMessage;
using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kMinute = 60'000 * kMs;
// 2026-01-01T00:00:00Z, where the clock of the tests starts.
constexpr std::int64_t kMidnight = 1'767'225'600'000'000'000;

struct Span {
  std::string service, name;
  int kind = 2;
  std::int64_t start = 0;
  std::int64_t duration = 10 * kMs;
  std::uint64_t parent = 0;  // The number of a span of the trace; 0 = none.
  std::vector<std::pair<std::string, std::string>> attributes = {};
  bool has_failed = false;
};

// Results that cannot be read or written for a while.
class FragileResults final : public InsightStore {
 public:
  explicit FragileResults(InsightStore& real) : real_(real) {}
  Status write(const WindowResult& result, QueryContext& context) override {
    if (error) return Error(*error);
    return real_.write(result, context);
  }
  Result<std::vector<WindowState>> windows(TimeRange range, QueryContext& context) override {
    if (error) return Error(*error);
    return real_.windows(range, context);
  }
  Result<std::vector<EdgeRow>> edges(TimeRange range, std::int64_t step_ns,
                                     QueryContext& context) override {
    if (error) return Error(*error);
    return real_.edges(range, step_ns, context);
  }
  Result<std::vector<FindingRow>> findings(const FindingQuery& query,
                                           QueryContext& context) override {
    if (error) return Error(*error);
    return real_.findings(query, context);
  }
  bool is_durable() const noexcept override { return true; }
  std::optional<Error> error;

 private:
  InsightStore& real_;
};

class InsightJobTest : public testing::Test {
 protected:
  // The spans are numbered from 1.
  void add_trace(const std::vector<Span>& spans, const std::string& tenant = "acme") {
    ++traces_added_;
    std::uint64_t number = 0;
    for (const Span& span : spans) {
      ProtoMessage message;
      message.bytes(1, fakes::otlp_trace_id(traces_added_ * 7919));
      message.bytes(2, fakes::otlp_span_id(++number));
      if (span.parent > 0) message.bytes(4, fakes::otlp_span_id(span.parent));
      message.bytes(5, span.name).varint(6, static_cast<std::uint64_t>(span.kind));
      message.fixed64(7, static_cast<std::uint64_t>(span.start));
      message.fixed64(8, static_cast<std::uint64_t>(span.start + span.duration));
      for (const auto& [key, value] : span.attributes)
        message.message(9, fakes::otlp_attribute(key, value));
      if (span.has_failed) message.message(15, ProtoMessage().varint(3, 2));
      ASSERT_TRUE(traces_.add(tenant, fakes::otlp_request_of({message}, span.service)).ok());
    }
  }
  // A page that asks the database for one row after the other.
  void add_loop(std::int64_t start) {
    std::vector<Span> spans = {{"shop", "GET /cart", 2, start, 130 * kMs}};
    for (int i = 0; i < 12; ++i)
      spans.push_back({"shop",
                       "SELECT",
                       3,
                       start + (i + 1) * 10 * kMs,
                       8 * kMs,
                       1,
                       {{"db.system", "mysql"},
                        {"db.name", "orders"},
                        {"db.statement", "SELECT * FROM item WHERE id = " + std::to_string(i)}}});
    add_trace(spans);
  }
  void add_calls(std::int64_t window, int count, std::int64_t duration,
                 const std::string& name = "GET /") {
    std::vector<ProtoMessage> spans;
    for (int i = 0; i < count; ++i) {
      const auto start = static_cast<std::uint64_t>(window + i * 100 * kMs);
      ProtoMessage& span = spans.emplace_back();
      span.bytes(1, fakes::otlp_trace_id(++traces_added_ * 7919)).bytes(2, fakes::otlp_span_id(1));
      span.bytes(5, name).varint(6, 2).fixed64(7, start);
      span.fixed64(8, start + static_cast<std::uint64_t>(duration + i % 7 * kMs));
    }
    ASSERT_TRUE(traces_.add("acme", fakes::otlp_request_of(spans, "shop")).ok());
  }
  InsightJob job(InsightJobOptions options = {}) {
    return {std::move(options),
            {scripted_, results_, budget_, clock_, events_,
             [this](TimeRange, QueryContext&) -> Result<std::vector<std::string>> {
               const std::set<std::string> names = traces_.tenants();
               return std::vector<std::string>(names.begin(), names.end());
             }}};
  }
  // Those with spans.
  std::vector<WindowState> windows() {
    auto states = results_.windows({}, context_).value();
    std::erase_if(states, [](const WindowState& state) { return state.traces == 0; });
    return states;
  }
  // So few windows make a baseline of calls.
  static InsightJobOptions with_baselines_of(std::size_t windows) {
    InsightJobOptions options;
    options.catch_up = minutes(30);
    options.thresholds.call_rate.baseline_windows_min = windows;
    return options;
  }
  std::vector<EdgeRow> edges() {
    return results_.edges({0, kMidnight + 100 * kMinute}, kRollupNanos, context_).value();
  }
  std::vector<FindingRow> findings(const std::string& kind) {
    return results_.findings({.range = {}, .kinds = {kind}}, context_).value();
  }
  double counted(const std::string& result) {
    return metrics_.value("spanway_insight_windows_total", {{"result", result}});
  }
  double lag() { return metrics_.value("spanway_insight_lag_seconds"); }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  fakes::ManualClock clock_;
  MemoryBudget budget_{512u << 20};
  MemoryTraceStore traces_;
  ScriptedStore scripted_{traces_};
  MemoryInsightStore results_;
  JobEvents events_{{log_, metrics_}};
  QueryContext context_{.tenant = "acme"};
  std::uint64_t traces_added_ = 0;
};

TEST_F(InsightJobTest, AWindowIsComputedOnceItIsClosedAndTheDelayIsOver) {
  add_loop(kMidnight + kMinute);
  InsightJob job = this->job();
  clock_.advance(minutes(6));
  job.run_due();
  EXPECT_THAT(windows(), IsEmpty());
  clock_.advance(minutes(1));
  job.run_due();
  EXPECT_THAT(windows(), ElementsAre(WindowState{kMidnight, WindowVersion::kPreliminary, 1, 1}));
  ASSERT_THAT(edges(), SizeIs(1));
  EXPECT_EQ(edges()[0].parent, "shop");
  EXPECT_EQ(edges()[0].child, "mysql/orders");
  EXPECT_EQ(edges()[0].link, "db");
  EXPECT_EQ(edges()[0].calls, 12u);
  const auto found = findings("n_plus_one");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].service, "shop");
  EXPECT_EQ(found[0].observed, 12);
  EXPECT_EQ(found[0].trace_ids, std::vector<TraceId>{fakes::otlp_trace_id(7919)});
  EXPECT_EQ(metrics_.value("spanway_finding",
                           {{"tenant", "acme"}, {"kind", "n_plus_one"}, {"service", "shop"}}),
            1);
}

TEST_F(InsightJobTest, ASecondRunComputesNothingAndAnotherReplicaTheSame) {
  for (int i = 0; i < 5; ++i) add_loop(kMidnight + i * kMinute);
  clock_.advance(minutes(30));
  job().run_due();
  const double first = counted("computed");
  EXPECT_GT(first, 0);
  const auto edges_of_first = edges();
  const auto findings_of_first = findings("n_plus_one");
  job().run_due();
  EXPECT_EQ(counted("computed"), first);
  MemoryInsightStore others;
  InsightJob replica({}, {traces_, others, budget_, clock_, events_,
                          [](TimeRange, QueryContext&) -> Result<std::vector<std::string>> {
                            return std::vector<std::string>{"acme"};
                          }});
  replica.run_due();
  EXPECT_EQ(others.edges({0, kMidnight + 100 * kMinute}, kRollupNanos, context_).value(),
            edges_of_first);
  EXPECT_EQ(others.findings({.range = {}, .kinds = {"n_plus_one"}}, context_).value(),
            findings_of_first);
}

TEST_F(InsightJobTest, LateSpansAreInTheFinalVersion) {
  add_loop(kMidnight + kMinute);
  InsightJob job = this->job();
  clock_.advance(minutes(8));
  job.run_due();
  add_loop(kMidnight + 2 * kMinute);
  clock_.advance(minutes(5));
  job.run_due();
  EXPECT_EQ(edges()[0].calls, 12u);
  clock_.advance(minutes(8));
  job.run_due();
  EXPECT_EQ(windows()[0].version, WindowVersion::kFinal);
  EXPECT_EQ(edges()[0].calls, 24u);
}

TEST_F(InsightJobTest, ASlowOperationIsFoundWithItsTraces) {
  // A day has to be known, not a whole one.
  for (int window = 0; window < 6; ++window)
    add_calls(kMidnight + window * kRollupNanos, 60, 20 * kMs);
  for (int window = 6; window < 8; ++window)
    add_calls(kMidnight + window * kRollupNanos, 60, 200 * kMs);
  clock_.advance(minutes(43));
  job().run_due();
  const auto found = findings("latency_regression");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].subject, "shop GET /");
  EXPECT_EQ(found[0].begin_unix_nano, kMidnight + 7 * kRollupNanos);
  EXPECT_GT(found[0].observed, 4 * found[0].baseline);
  EXPECT_THAT(found[0].trace_ids, SizeIs(5));
}

TEST_F(InsightJobTest, MissingCallsAreReportedByTheFinalVersionAlone) {
  for (int window = 0; window < 10; ++window) {
    add_calls(kMidnight + window * kRollupNanos, 40, 20 * kMs);
    if (window < 7) add_calls(kMidnight + window * kRollupNanos, 60, 20 * kMs, "GET /gone");
  }
  InsightJob job = this->job(with_baselines_of(6));
  clock_.advance(minutes(53));
  job.run_due();
  const auto of_newest = [&] {
    std::size_t count = 0;
    for (const FindingRow& finding : findings("call_rate"))
      if (finding.begin_unix_nano == kMidnight + 9 * kRollupNanos) {
        EXPECT_EQ(finding.subject, "shop GET /gone");
        EXPECT_EQ(finding.symptom, "fewer");
        ++count;
      }
    return count;
  };
  EXPECT_EQ(of_newest(), 0u);
  clock_.advance(minutes(13));
  job.run_due();
  EXPECT_EQ(of_newest(), 1u);
}

TEST_F(InsightJobTest, ANewOperationIsNoChangeOfItsRate) {
  for (int window = 0; window < 12; ++window) {
    add_calls(kMidnight + window * kRollupNanos, 40, 20 * kMs);
    if (window >= 7) add_calls(kMidnight + window * kRollupNanos, 60, 20 * kMs, "GET /new");
  }
  clock_.advance(minutes(80));
  job(with_baselines_of(6)).run_due();
  EXPECT_THAT(findings("call_rate"), IsEmpty());
}

TEST_F(InsightJobTest, AfterAPauseOnlyTheLastHourIsComputed) {
  for (int window = 0; window < 36; ++window)
    add_calls(kMidnight + window * kRollupNanos, 1, 20 * kMs);
  clock_.advance(hours(3) + minutes(2));
  job().run_due();
  const auto computed = windows();
  ASSERT_THAT(computed, SizeIs(12));
  EXPECT_EQ(computed.front().begin_unix_nano, kMidnight + 24 * kRollupNanos);
  EXPECT_EQ(computed.front().version, WindowVersion::kFinal);
  EXPECT_EQ(computed.back().version, WindowVersion::kPreliminary);
  EXPECT_EQ(lag(), 0);
}

TEST_F(InsightJobTest, WhileResultsCannotBeWrittenNothingIsLost) {
  add_loop(kMidnight + kMinute);
  FragileResults fragile(results_);
  InsightJob job({}, {traces_, fragile, budget_, clock_, events_,
                      [](TimeRange, QueryContext&) -> Result<std::vector<std::string>> {
                        return std::vector<std::string>{"acme"};
                      }});
  clock_.advance(minutes(8));
  fragile.error = unavailable("the store is away");
  job.run_due();
  job.run_due();
  EXPECT_THAT(windows(), IsEmpty());
  EXPECT_EQ(counted("failed"), 2);
  fragile.error.reset();
  job.run_due();
  EXPECT_THAT(edges(), SizeIs(1));
}

TEST_F(InsightJobTest, AWindowThatIsTooLargeIsLeftOutAfterSomeAttempts) {
  add_loop(kMidnight + kMinute);
  scripted_.gives_up = true;
  InsightJobOptions options;
  options.catch_up = minutes(5);
  InsightJob job = this->job(std::move(options));
  clock_.advance(minutes(8));
  job.run_due();
  EXPECT_EQ(lag(), 61);
  for (int i = 0; i < 4; ++i) job.run_due();
  EXPECT_EQ(counted("failed"), InsightJob::kAttemptsMax);
  EXPECT_EQ(counted("given_up"), 1);
  EXPECT_EQ(lag(), 0);
}

TEST_F(InsightJobTest, OfTooManyTracesAHashChoosesAndCallsAreExtrapolated) {
  for (int i = 0; i < 400; ++i) {
    const std::int64_t start = kMidnight + i * 100 * kMs;
    add_trace({{"shop", "GET /", 2, start, 50 * kMs},
               {"shop", "GET", 3, start + kMs, 20 * kMs, 1},
               {"cart", "GET", 2, start + 2 * kMs, 10 * kMs, 2, {}, i % 4 == 0},
               {"shop", "SELECT", 3, start + 30 * kMs, 5 * kMs, 1, {{"db.system", "mysql"}}}});
  }
  // One call, which a sample may miss.
  add_trace({{"shop", "GET /rare", 2, kMidnight, 50 * kMs}, {"rare", "GET", 2, kMidnight, kMs, 1}});
  InsightJobOptions options;
  options.bounds.traces_max = 100;
  clock_.advance(minutes(8));
  job(std::move(options)).run_due();
  const auto state = windows();
  ASSERT_THAT(state, SizeIs(1));
  EXPECT_EQ(state[0].traces, 100u);
  EXPECT_NEAR(state[0].part, 0.25, 0.08);
  std::map<std::string, std::uint64_t> calls;
  for (const EdgeRow& edge : edges()) calls[edge.child] = edge.calls;
  EXPECT_EQ(calls["cart"], 400u);
  EXPECT_EQ(calls["rare"], 1u);
  EXPECT_NEAR(static_cast<double>(calls["mysql"]), 400, 130);
}

TEST_F(InsightJobTest, TracesThatDoNotFitIntoMemoryAreNotRead) {
  for (int i = 0; i < 1200; ++i)
    add_trace({{"shop", "GET /", 2, kMidnight + i * kMs, kMs, 0, {{"a", std::string(900, 'x')}}}});
  InsightJobOptions options;
  options.bounds.memory_bytes_max = 100'000;
  clock_.advance(minutes(8));
  job(std::move(options)).run_due();
  ASSERT_THAT(windows(), SizeIs(1));
  const auto read = static_cast<double>(windows()[0].traces);
  EXPECT_GT(read, 30);
  EXPECT_LT(read, 100);
  EXPECT_NEAR(windows()[0].part, read / 1200, 1e-9);
}

TEST_F(InsightJobTest, ATraceThatIsTooLargeAloneIsLeftOut) {
  std::vector<Span> spans = {{"shop", "GET /large", 2, kMidnight}};
  for (int i = 0; i < 200; ++i)
    spans.push_back({"shop", "step", 1, kMidnight + i, kMs, 1, {{"a", std::string(900, 'x')}}});
  add_trace(spans);
  add_loop(kMidnight + kMinute);
  InsightJobOptions options;
  options.bounds.memory_bytes_max = 100'000;
  clock_.advance(minutes(8));
  job(std::move(options)).run_due();
  ASSERT_THAT(windows(), SizeIs(1));
  EXPECT_EQ(windows()[0].traces, 1u);
  EXPECT_EQ(windows()[0].part, 0.5);
  EXPECT_THAT(findings("n_plus_one"), SizeIs(1));
}

TEST_F(InsightJobTest, CallsAreCountedInTheWindowOfTheirSpanAndMessagesFollowLinks) {
  // A trace across the border of two windows, and a message that waits for 20 minutes.
  const std::int64_t border = kMidnight + 5 * kRollupNanos;
  add_trace({{"shop", "GET /", 2, border - kMs, 50 * kMs},
             {"cart", "GET", 2, border - kMs / 2, 10 * kMs, 1},
             {"cart", "GET", 2, border + kMs, 10 * kMs, 1},
             {"shop", "orders publish", 4, border - kMs, kMs, 1}});
  ProtoMessage link;
  link.bytes(1, fakes::otlp_trace_id(traces_added_ * 7919)).bytes(2, fakes::otlp_span_id(4));
  ProtoMessage consumer;
  consumer.bytes(1, fakes::otlp_trace_id(1)).bytes(2, fakes::otlp_span_id(1));
  consumer.bytes(5, "orders process").varint(6, 5).message(13, link);
  const auto start = static_cast<std::uint64_t>(border + 20 * kMinute);
  consumer.fixed64(7, start).fixed64(8, start + 5);
  ASSERT_TRUE(traces_.add("acme", fakes::otlp_request_of({consumer}, "packing")).ok());
  clock_.advance(minutes(55));
  job().run_due();
  const auto all = edges();
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].begin_unix_nano, border - kRollupNanos);
  EXPECT_EQ(all[0].calls, 1u);
  EXPECT_EQ(all[1].begin_unix_nano, border);
  EXPECT_EQ(all[1].calls, 1u);
  EXPECT_EQ(all[2].begin_unix_nano, border + 4 * kRollupNanos);
  EXPECT_EQ(all[2].parent, "shop");
  EXPECT_EQ(all[2].child, "packing");
  EXPECT_EQ(all[2].link, "messaging");
}

TEST_F(InsightJobTest, ACancelledJobComputesNothing) {
  add_loop(kMidnight + kMinute);
  InsightJob job = this->job();
  job.cancel();
  clock_.advance(minutes(8));
  job.run_due();
  EXPECT_THAT(windows(), IsEmpty());
  EXPECT_EQ(counted("failed"), 0);
}

TEST_F(InsightJobTest, MetricsOfFindingsAreBoundedAndGoWithThem) {
  std::map<JobEvents::FindingLabels, std::size_t> counts;
  for (int i = 0; i < 700; ++i) counts[{"acme", "relation", std::to_string(1000 + i)}] = 1;
  events_.findings(counts);
  EXPECT_EQ(metrics_.value("spanway_finding",
                           {{"tenant", "acme"}, {"kind", "relation"}, {"service", "1000"}}),
            1);
  EXPECT_EQ(
      metrics_.value("spanway_finding", {{"tenant", ""}, {"kind", "relation"}, {"service", ""}}),
      200);
  events_.findings({});
  EXPECT_EQ(metrics_.expose().find("spanway_finding{"), std::string::npos);
}

TEST_F(InsightJobTest, ResultsThatAStoreRefusesAreKeptInMemoryUntilItTakesThem) {
  FragileResults fragile(results_);
  MemoryInsightStore memory;
  std::vector<bool> reports;
  FallbackInsightStore store(fragile, memory,
                             [&](const Status& written) { reports.push_back(written.ok()); });
  WindowResult result;
  result.state = {.begin_unix_nano = kMidnight, .version = WindowVersion::kFinal};
  fragile.error = unavailable("away");
  EXPECT_FALSE(store.write(result, context_).ok());
  EXPECT_TRUE(store.is_durable());
  fragile.error = configuration_error(Code::kPermissionDenied, "no right");
  EXPECT_TRUE(store.write(result, context_).ok());
  EXPECT_FALSE(store.is_durable());
  EXPECT_THAT(store.windows({}, context_).value(), SizeIs(1));
  fragile.error.reset();
  result.state.begin_unix_nano += kRollupNanos;
  EXPECT_TRUE(store.write(result, context_).ok());
  EXPECT_TRUE(store.is_durable());
  EXPECT_THAT(reports, ElementsAre(false, true));
  EXPECT_THAT(store.windows({}, context_).value(), SizeIs(1));
}

}  // namespace
}  // namespace spanway::query
