#include "services/kafka-bridge/replay/replayer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/kafka-bridge/consume/dead_letter_parts.h"
#include "services/lib/otlp/reader.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/fakes/sink_recorder.h"
#include "tests/unit/kafka-bridge/replay/fake_range_reader.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = ReplayEnd::Kind;

std::string spans(std::uint64_t trace, std::size_t count = 1) {
  std::vector<fakes::ProtoMessage> items;
  for (std::size_t i = 0; i < count; ++i) items.push_back(fakes::otlp_span(trace, i + 1));
  return fakes::otlp_request_of(items);
}

// Ends a replay as kill -9 does: without a last save.
struct Killed {};

class ReplayerTest : public testing::Test {
 protected:
  ReplayerTest() {
    options_.topic = "otel.traces.dlq";
    options_.signal_of = [](const kafka::StoredRecord&) { return otlp::Signal::kTraces; };
    options_.letters_of = "jaeger";
    options_.items_per_second = 1e6;
    state_.left[0] = {0, 1000};
    answer_ = [](const pipeline::Batch&) { return pipeline::Outcome(); };
    sink_.answer_with([this](const pipeline::Batch& batch) {
      clock_.advance(milliseconds(1));
      Result<pipeline::Outcome> answer = answer_(batch);
      sent_.push_back({clock_.now(), std::string(batch.payload.view()), batch.metadata.tenant,
                       batch.metadata.batch_id, answer.ok()});
      return answer;
    });
  }

  kafka::StoredRecord& record(std::int64_t offset, std::string value, std::int32_t partition = 0) {
    kafka::StoredRecord& record = records_[{partition, offset}];
    record.partition = partition;
    record.offset = offset;
    record.value = std::move(value);
    return record;
  }
  void letter(std::int64_t offset, const std::string& value, const std::string& destination) {
    record(offset, value).headers = {{"spanway-destination", destination}};
  }
  void part(std::int64_t offset, const std::string& payload, std::size_t begin, std::size_t end) {
    record(offset, payload.substr(begin, end - begin)).headers = {
        {"spanway-letter", letter_id("", payload)},
        {"spanway-part", part_range(begin, end, payload.size())}};
  }

  // One life of the process, from the last saved state.
  ReplayEnd run() {
    FakeRangeReader reader(clock_);
    for (const auto& [place, record] : records_) reader.add(record);
    for (const auto& [partition, offset] : low_) reader.delete_below(partition, offset);
    if (prepare_) prepare_(reader);
    Replayer replayer(options_, {.reader = reader,
                                 .sink = sink_,
                                 .clock = clock_,
                                 .random = Random(1),
                                 .wait =
                                     [this](Duration wait) {
                                       if (kill_at_wait_ && --*kill_at_wait_ < 0) throw Killed();
                                       clock_.advance(wait);
                                       return !stop_;
                                     },
                                 .save =
                                     [this](const ReplayState& state) {
                                       if (!save_status_.ok()) return save_status_;
                                       state_ = state;
                                       return ok_status();
                                     },
                                 .refused =
                                     [this](const std::string& place, const std::string& why) {
                                       refused_.push_back(place + " " + why);
                                     },
                                 .progress = [](const ReplayState&) {}});
    ReplayState state = state_;
    kill_at_wait_ = std::exchange(kill_next_, std::nullopt);
    const ReplayEnd end = replayer.run(state);
    if (!options_.dry_run && save_status_.ok()) {
      EXPECT_EQ(state, state_) << "saved at the end";
    }
    state_ = state;
    return end;
  }
  std::vector<std::string> accepted() const {
    std::vector<std::string> payloads;
    for (const Sent& sent : sent_)
      if (sent.accepted) payloads.push_back(sent.payload);
    return payloads;
  }
  void refuse(const std::string& payload, Error error) {
    answer_ = [payload, error](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
      if (payload.empty() || batch.payload.view() == payload) return error;
      return pipeline::Outcome();
    };
  }

  // A new log in two partitions and a new state; returns what is to be delivered.
  std::vector<std::string> fill_log(Random& random) {
    records_.clear();
    sent_.clear();
    refused_.clear();
    std::vector<std::string> expected;
    std::vector<kafka::StoredRecord> log;
    for (std::uint64_t trace = 1; trace <= 150; ++trace) {
      const std::string payload = spans(trace, 1 + random.next() % 6);
      const std::uint64_t kind = random.next() % 6;
      if (kind == 0) {
        const std::size_t half = payload.size() / 2;
        part(0, payload, 0, half);
        log.push_back(records_[{0, 0}]);
        part(0, payload, half, payload.size());
      } else {
        letter(0, payload, kind == 1 ? "zipkin" : "jaeger");
      }
      log.push_back(records_[{0, 0}]);
      if (kind != 1) expected.push_back(payload);
    }
    for (std::size_t i = log.size() - 1; i > 0; --i)
      std::swap(log[i], log[random.next() % (i + 1)]);
    records_.clear();
    std::int64_t offset = 0;
    for (kafka::StoredRecord& stored : log) {
      offset += 1 + static_cast<std::int64_t>(random.next() % 3);  // Gaps are no losses.
      stored.offset = offset;
      records_[{0, offset}] = stored;
    }
    state_ = {};
    state_.left = {{0, {0, offset + 1}}, {2, {0, 50}}};
    record(7, spans(999), 2);
    expected.push_back(spans(999));
    return expected;
  }
  // Accepted sends from `begin` on that were accepted before it.
  std::size_t repeats_since(std::size_t begin) const {
    std::set<std::string> known;
    std::size_t repeats = 0;
    for (std::size_t i = 0; i < sent_.size(); ++i)
      if (!known.insert(sent_[i].payload).second && i >= begin) ++repeats;
    return repeats;
  }

  struct Sent {
    SteadyTime at;
    std::string payload, tenant, batch_id;
    bool accepted;
  };
  fakes::ManualClock clock_;
  fakes::SinkRecorder sink_;
  ReplayOptions options_;
  ReplayState state_;  // On disk.
  std::map<std::pair<std::int32_t, std::int64_t>, kafka::StoredRecord> records_;
  std::map<std::int32_t, std::int64_t> low_;
  std::function<void(FakeRangeReader&)> prepare_;
  std::function<Result<pipeline::Outcome>(const pipeline::Batch&)> answer_;
  std::vector<Sent> sent_;
  std::vector<std::string> refused_;
  Status save_status_;
  std::optional<int> kill_next_, kill_at_wait_;
  bool stop_ = false;
};

TEST_F(ReplayerTest, SendsEachRecordOnceWithItsTenant) {
  record(3, spans(1)).headers = {{"spanway-tenant", "blue"}};
  record(5, spans(2, 4));
  state_.left[1] = {0, 10};
  record(0, spans(3), 1);
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(accepted(), ElementsAre(spans(1), spans(2, 4), spans(3)));
  EXPECT_EQ(sent_[0].tenant, "blue");
  EXPECT_EQ(sent_[0].batch_id, "");
  EXPECT_EQ(state_.counts, (ReplayCounts{.records = 3, .items = 6}));
  EXPECT_TRUE(state_.left.empty());
}

TEST_F(ReplayerTest, PassesOverLettersOfOtherDestinationsAndRecordsWithoutItems) {
  letter(0, spans(1), "zipkin");
  letter(1, spans(2), "jaeger");
  record(2, spans(3));
  record(3, "");
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(accepted(), ElementsAre(spans(2), spans(3)));
  EXPECT_EQ(state_.counts.others, 1u);
  EXPECT_EQ(state_.counts.empty, 1u);
}

TEST_F(ReplayerTest, JoinsALetterInParts) {
  const std::string payload = spans(1, 9);
  part(0, payload, 0, 50);
  record(1, spans(2));
  part(2, payload, 50, payload.size());
  options_.batch_identity = true;
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(accepted(), ElementsAre(spans(2), payload));
  EXPECT_EQ(sent_[1].batch_id, "otel.traces.dlq:0:0-0");
}

TEST_F(ReplayerTest, NamesALetterWhosePartsAreMissing) {
  part(4, spans(1, 9), 0, 50);
  record(5, spans(2));
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(accepted(), ElementsAre(spans(2)));
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("0:4 parts of letter")));
  EXPECT_EQ(state_.counts.refused, 1u);
}

TEST_F(ReplayerTest, IdentitiesAreTheSameInEachLife) {
  options_.batch_identity = true;
  record(7, spans(1)).headers = {{"spanway-tenant", "blue"}};
  kill_next_ = 1;  // Delivered, and not saved.
  record(8, spans(2));
  EXPECT_THROW(run(), Killed);
  EXPECT_EQ(run().kind, Kind::kComplete);
  ASSERT_EQ(sent_.size(), 3u);
  EXPECT_EQ(sent_[0].batch_id, "otel.traces.dlq:0:7-7:blue");
  EXPECT_EQ(sent_[1].batch_id, sent_[0].batch_id);
}

TEST_F(ReplayerTest, IsNeverFasterThanRequestedAlsoWhenItIsKilledAndWhenItRetries) {
  options_.items_per_second = 10;
  for (int i = 0; i < 30; ++i) record(i, spans(1, 1 + i % 7));
  const SteadyTime start = clock_.now();
  int tries = 0;
  answer_ = [&](const pipeline::Batch&) -> Result<pipeline::Outcome> {
    if (++tries % 5 == 0) return unavailable("busy");
    return pipeline::Outcome();
  };
  for (int life = 0; life < 6; ++life) {
    kill_next_ = 4;
    EXPECT_THROW(run(), Killed);
  }
  EXPECT_EQ(run().kind, Kind::kComplete);
  double items = 0;
  for (const Sent& sent : sent_) {
    items += static_cast<double>(otlp::count_items(otlp::Signal::kTraces, sent.payload).value());
    EXPECT_LE(items, 10 * std::chrono::duration<double>(sent.at - start).count() + 1e-6);
  }
}

TEST_F(ReplayerTest, RetriesWhatIsTransient) {
  record(0, spans(1));
  int tries = 0;
  const SteadyTime start = clock_.now();
  answer_ = [&](const pipeline::Batch&) -> Result<pipeline::Outcome> {
    if (++tries < 4) return unavailable("busy").with_retry_after(seconds(9));
    return pipeline::Outcome();
  };
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_EQ(tries, 4);
  EXPECT_GE(clock_.now() - start, seconds(27));
  EXPECT_EQ(state_.counts, (ReplayCounts{.records = 1, .items = 1}));
}

TEST_F(ReplayerTest, GivesUpOnADestinationThatIsAwayAndResumesAtTheSameRecord) {
  record(0, spans(1));
  record(1, spans(2));
  refuse(spans(2), unavailable("connection refused"));
  const ReplayEnd end = run();
  EXPECT_EQ(end.kind, Kind::kDestinationFailed);
  EXPECT_THAT(end.error, HasSubstr("0:1 was not accepted: connection refused"));
  EXPECT_EQ(state_.left[0].begin, 1);
  refuse("never", unavailable(""));
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(accepted(), ElementsAre(spans(1), spans(2)));
}

TEST_F(ReplayerTest, ARecordThatIsRefusedAloneIsNamedAndTheOthersAreSent) {
  for (int i = 0; i < 3; ++i) record(i, spans(static_cast<std::uint64_t>(i) + 1));
  for (const Error& error :
       {invalid_argument("too deep"), configuration_error(Code::kPermissionDenied, "not you"),
        unknown_error(Code::kInternal, "?")}) {
    state_ = {};
    state_.left[0] = {0, 1000};
    sent_.clear();
    refused_.clear();
    refuse(spans(2), error);
    EXPECT_EQ(run().kind, Kind::kComplete);
    EXPECT_THAT(accepted(), ElementsAre(spans(1), spans(3)));
    EXPECT_THAT(refused_, ElementsAre("0:1 " + error.message));
    EXPECT_THAT(state_.refused, ElementsAre("0:1"));
  }
}

TEST_F(ReplayerTest, ADestinationThatRefusesAllIsToBlameAndNoRecordIsPassedOver) {
  for (int i = 0; i < 40; ++i) record(i, spans(static_cast<std::uint64_t>(i) + 1));
  answer_ = [&](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.payload.view() == spans(1)) return pipeline::Outcome();
    return invalid_argument("your key has expired");
  };
  const ReplayEnd end = run();
  EXPECT_EQ(end.kind, Kind::kDestinationFailed);
  EXPECT_THAT(end.error, HasSubstr("20 records in a row were refused"));
  EXPECT_THAT(end.error, HasSubstr("your key has expired"));
  EXPECT_EQ(state_.left[0].begin, 1);
  EXPECT_EQ(state_.counts.refused, 0u);
  answer_ = [](const pipeline::Batch&) { return pipeline::Outcome(); };
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_EQ(accepted().size(), 40u);
}

TEST_F(ReplayerTest, ARangeThatEndsInRefusalsIsCompleteOnlyIfTheyAreDataErrors) {
  record(0, spans(1));
  refuse("", configuration_error(Code::kUnauthenticated, "no token"));
  EXPECT_EQ(run().kind, Kind::kDestinationFailed);
  EXPECT_EQ(state_.left[0].begin, 0);
  refuse("", invalid_argument("too deep"));
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_EQ(state_.counts.refused, 1u);
}

TEST_F(ReplayerTest, NamesARecordOfWhichItemsAreRefused) {
  record(0, spans(1, 3));
  answer_ = [](const pipeline::Batch&) {
    return pipeline::Outcome{.rejected = 2, .message = "too old"};
  };
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(refused_, ElementsAre("0:0 2 of 3 items are refused: too old"));
}

TEST_F(ReplayerTest, NamesWhatIsNoOtlpAndWhoseSignalIsUnknown) {
  record(0, "no protobuf");
  record(1, spans(1));
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("0:0 cannot be sent: ")));
  options_.signal_of = [](const kafka::StoredRecord&) { return std::nullopt; };
  state_.left[0] = {1, 2};
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(refused_.back(), HasSubstr("give --signal"));
}

TEST_F(ReplayerTest, AStopIsSavedAndResumed) {
  for (int i = 0; i < 9; ++i) record(i, spans(static_cast<std::uint64_t>(i) + 1));
  answer_ = [&](const pipeline::Batch& batch) {
    stop_ = batch.payload.view() == spans(4);
    return pipeline::Outcome();
  };
  EXPECT_EQ(run().kind, Kind::kStopped);
  EXPECT_EQ(sent_.size(), 4u);
  stop_ = false;
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_EQ(sent_.size(), 9u) << "nothing twice";
}

TEST_F(ReplayerTest, FailuresOfKafkaAndOfTheStateAreNotTheDestinations) {
  record(0, spans(1));
  record(1, spans(2));
  prepare_ = [](FakeRangeReader& reader) { reader.fail_next(unavailable("kafka is gone")); };
  EXPECT_EQ(run().kind, Kind::kSourceFailed);
  prepare_ = [](FakeRangeReader& reader) { reader.hang(); };
  const ReplayEnd hanging = run();
  EXPECT_EQ(hanging.kind, Kind::kSourceFailed);
  EXPECT_THAT(hanging.error, HasSubstr("no broker is up"));
  EXPECT_TRUE(sent_.empty());
  prepare_ = nullptr;
  save_status_ = unavailable("disk full");
  EXPECT_EQ(run().kind, Kind::kStateFailed);
}

TEST_F(ReplayerTest, RecordsThatWereDeletedMeanwhileAreCounted) {
  record(0, spans(1));
  record(9, spans(2));
  low_[0] = 8;
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_EQ(state_.counts.lost, 8u);
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("8 offsets were deleted")));
  EXPECT_THAT(accepted(), ElementsAre(spans(2)));
}

TEST_F(ReplayerTest, DryRunSendsAndSavesNothing) {
  record(0, spans(1, 3)).headers = {{"spanway-tenant", "blue"}};
  std::vector<std::string> seen;
  options_.dry_run = [&](const kafka::StoredRecord& one, std::uint64_t items) {
    seen.push_back(std::string(one.header("spanway-tenant")) + " " + std::to_string(items));
  };
  save_status_ = unavailable("must not be saved");
  EXPECT_EQ(run().kind, Kind::kComplete);
  EXPECT_THAT(seen, ElementsAre("blue 3"));
  EXPECT_TRUE(sent_.empty());
}

// Letters in parts, of others and plain records in a random order; kills at random moments.
TEST_F(ReplayerTest, KillsSkipNothingAndRepeatAtMostTheLastMoments) {
  std::size_t repeats = 0, kills = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    const bool slow = seed % 2 == 0;
    options_.items_per_second = slow ? 30 : 1e6;
    const std::vector<std::string> expected = fill_log(random);
    // A send takes 1 ms, and the wait before a slow one is saved.
    const std::size_t repeats_max = slow ? 3 : 52;
    while (!state_.left.empty()) {
      const std::size_t before = sent_.size();
      kill_next_ = static_cast<int>(random.next() % 100);
      try {
        EXPECT_EQ(run().kind, Kind::kComplete);
      } catch (const Killed&) {
        ++kills;
      }
      const std::size_t repeated = repeats_since(before);
      EXPECT_LE(repeated, repeats_max) << "seed " << seed;
      repeats += repeated;
    }
    const std::vector<std::string> all = accepted();
    const std::set<std::string> once(all.begin(), all.end());
    EXPECT_EQ(once, std::set<std::string>(expected.begin(), expected.end())) << "seed " << seed;
    EXPECT_EQ(state_.counts.records, expected.size()) << "seed " << seed;
    EXPECT_TRUE(refused_.empty());
  }
  EXPECT_GT(kills, 50u);
  EXPECT_GT(repeats, 20u) << "kills come at moments that matter";
}

}  // namespace
}  // namespace spanway::kafka_bridge
