// Everything a PartitionLane needs, without threads and without Kafka.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/kafka-bridge/consume/partition_lane.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::kafka_bridge {

class FakeDeadLetters final : public DeadLetterWriter {
 public:
  void write(DeadLetter letter, std::function<void(Status)> done) override {
    ++tries;
    if (hold) {
      held.emplace_back(std::move(letter), std::move(done));
      return;
    }
    if (answer.ok()) letters.push_back(std::move(letter));
    done(answer);
  }
  std::deque<DeadLetter> letters;
  std::deque<std::pair<DeadLetter, std::function<void(Status)>>> held;
  Status answer;
  bool hold = false;
  int tries = 0;
};

// Names of the spans in a request, in order and without the slash at their end: what a destination
// saw.
inline std::vector<std::string> span_names(std::string_view payload) {
  std::vector<std::string> names;
  otlp::Scanner scanner;
  if (!scanner.scan(otlp::Signal::kTraces, payload).ok()) return {"<broken>"};
  for (const otlp::Item& item : scanner.index().items) {
    const std::string_view span = payload.substr(item.bytes.offset, item.bytes.size);
    const std::size_t at = span.find("span-");
    if (at == std::string_view::npos) continue;
    names.emplace_back(span.substr(at, span.find('/', at) - at));
  }
  return names;
}

// A request with spans named span-<first>/ to span-<first + count - 1>/.
inline std::string spans(int first, int count) {
  std::vector<fakes::ProtoMessage> items;
  for (int i = first; i < first + count; ++i) {
    const auto n = static_cast<std::uint64_t>(i + 1);
    items.push_back(fakes::otlp_span(n, n, "span-" + std::to_string(i) + "/"));
  }
  return fakes::otlp_request_of(items);
}

struct LaneFixture : LaneHost {
  LaneFixture() {
    options.topic = "otel.traces";
    options.partition = 3;
    options.retry.initial = std::chrono::milliseconds(100);
  }
  void begin(std::int64_t offset = 0, const std::string& metadata = "") {
    lane = std::make_unique<PartitionLane>(options, deps, *this,
                                           kafka::StartPosition{offset, metadata});
  }
  bool take(std::int64_t offset, std::string_view payload, std::string_view tenant = "",
            std::int64_t timestamp_ms = 0) {
    const kafka::HeaderView header{"spanway-tenant", tenant};
    kafka::RecordView record;
    record.offset = offset;
    record.timestamp_ms = timestamp_ms;
    record.value = payload;
    if (!tenant.empty()) record.headers = {&header, 1};
    return lane->take(record);
  }
  // Past the linger: what was taken is sent.
  void settle() { executor.advance(options.linger); }
  std::optional<fakes::SinkRecorder::Taken> sent() {
    executor.run();
    return sink.take(Duration::zero());
  }
  void ack(fakes::SinkRecorder::Taken taken, pipeline::Outcome outcome = {}) {
    taken.token.ack(std::move(outcome));
    executor.run();
  }
  void nack(fakes::SinkRecorder::Taken taken, Error error) {
    taken.token.nack(std::move(error));
    executor.run();
  }
  // A destination that answers each request by its spans' names; keeps what it took.
  void destination(std::function<Status(const std::vector<std::string>&)> answer) {
    sink.answer_with([this, answer](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
      const auto names = span_names(batch.payload.view());
      ++calls;
      Status status = answer(names);
      if (!status.ok()) return std::move(status).error();
      received.insert(received.end(), names.begin(), names.end());
      return pipeline::Outcome{};
    });
  }
  // Commits what may be committed.
  std::int64_t commit() {
    if (const auto commit = lane->commit()) {
      lane->on_committed(*commit);
      committed = *commit;
      executor.run();
    }
    return lane->state().committed;
  }
  double metric(std::string_view name, const telemetry::Labels& labels = {}) const {
    return metrics.value(name, labels);
  }
  void on_room() override { ++rooms; }
  void on_plan() override { ++plans; }
  void on_drained() override { ++drained; }
  void on_rewind(std::int64_t offset) override { rewinds.push_back(offset); }

  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  fakes::SinkRecorder sink;
  FakeDeadLetters letters;
  MemoryBudget budget{64u << 20};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ConsumeEvents events{{log, metrics}, "test"};
  EvidenceLedger ledger;
  Random random{1};
  std::shared_ptr<ClosableExecutor> answers_on = std::make_shared<ClosableExecutor>(executor);
  // Joins nothing: these tests are about one lane.
  RequestCoalescer coalescer{{.linger = Duration::zero(), .send_timeout = std::chrono::seconds(30)},
                             executor,
                             answers_on,
                             sink,
                             budget};
  LaneOptions options;
  Stalls stalls{options.retry, executor, ledger, events, Random(1)};
  BudgetShares shares{budget, {otlp::Signal::kTraces}};
  LaneDeps deps{executor, answers_on, coalescer, letters, budget,
                shares,   events,     ledger,    stalls,  random};
  std::unique_ptr<PartitionLane> lane;
  std::vector<std::string> received;
  int calls = 0;
  int rooms = 0;
  int plans = 0;
  int drained = 0;
  std::vector<std::int64_t> rewinds;
  std::optional<PartitionLane::Commit> committed;
};

inline Error token_expired() {
  return configuration_error(Code::kUnauthenticated, "token expired");
}
inline Error bad_data() { return invalid_argument("cannot be stored"); }
inline Error broken() { return unknown_error(Code::kInternal, "oops"); }
inline Error busy() { return unavailable("busy"); }

}  // namespace spanway::kafka_bridge
