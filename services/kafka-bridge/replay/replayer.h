// Sends a range of stored records to a destination again, one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "services/kafka-bridge/replay/letter_joiner.h"
#include "services/kafka-bridge/replay/pace.h"
#include "services/kafka-bridge/replay/replay_state.h"
#include "services/lib/base/backoff.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/random.h"
#include "services/lib/kafka/range_reader.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/pipeline/sink.h"

namespace spanway::kafka_bridge {

struct ReplayOptions {
  std::string topic;
  // Nothing: the signal of the record cannot be known.
  std::function<std::optional<otlp::Signal>(const kafka::StoredRecord&)> signal_of;
  // Dead letters that another destination has refused are passed over.
  std::string letters_of;
  double items_per_second = 0;
  bool batch_identity = false;  // The destination stores each identity once.
  Duration answer_timeout = std::chrono::seconds(30);
  Duration give_up_after = std::chrono::minutes(10);  // Without an acceptance.
  std::uint64_t refused_max = 20;                     // In a row.
  // Called for each record instead of sending it: nothing is sent, waited for or saved.
  std::function<void(const kafka::StoredRecord&, std::uint64_t items)> dry_run;
};

// All outlive the replayer.
struct ReplayDeps {
  kafka::RangeReader& reader;
  pipeline::Sink& sink;
  const Clock& clock;
  Random random;
  // Waits; false once a stop was requested.
  std::function<bool(Duration)> wait;
  std::function<Status(const ReplayState&)> save;
  // A record that is refused, with the reason; it stays where it is.
  std::function<void(const std::string& place, const std::string& why)> refused;
  std::function<void(const ReplayState&)> progress;
};

struct ReplayEnd {
  enum class Kind {
    kComplete,
    kStopped,
    kSourceFailed,       // Kafka.
    kStateFailed,        // The state cannot be saved.
    kDestinationFailed,  // It has accepted nothing for too long, or refuses all.
  } kind = Kind::kComplete;
  std::string error;
};

// One thread, which it blocks. A record is settled when it is accepted, passed over or refused for
// good. Refusals are for good once another record was accepted behind them, or, if they are data
// errors, at the end of the range: what fails together is the destination's fault. The state is
// saved at least every kSaveEvery of deliveries and before each longer wait: after kill -9 a replay
// repeats what was delivered since, and the record in flight.
class Replayer {
 public:
  static constexpr Duration kSaveEvery = std::chrono::milliseconds(50);

  Replayer(ReplayOptions options, ReplayDeps deps);

  // Until `state.left` is empty. In every end but kComplete the state is that of a replay that can
  // be resumed.
  ReplayEnd run(ReplayState& state);

 private:
  struct PendingRefusal {
    std::string place, why;
    bool data = false;
  };
  bool replay_partition(std::int32_t partition);
  bool start(std::int32_t partition);
  bool settle(kafka::StoredRecord record);
  std::optional<kafka::StoredRecord> join(kafka::StoredRecord record);
  void settle_complete(const kafka::StoredRecord& record);
  bool deliver(const kafka::StoredRecord& record, otlp::Signal signal, std::uint64_t items);
  Result<pipeline::Outcome> send(const kafka::StoredRecord& record, otlp::Signal signal,
                                 std::uint64_t items);
  void accept(std::uint64_t items);
  bool hold(const kafka::StoredRecord& record, const Error& error);
  void refuse(const std::string& place, const std::string& why);
  void refuse_incomplete(const std::vector<OpenLetter>& letters);
  bool wait(Duration duration);
  bool wait_for_source(SteadyTime since);
  bool save();
  bool end(ReplayEnd::Kind kind, std::string error);
  ReplayEnd finish(ReplayState& state);
  std::string place_of(std::int64_t offset) const;

  const ReplayOptions options_;
  const ReplayDeps deps_;
  Pace pace_;
  Backoff backoff_;
  LetterJoiner joiner_;
  ReplayState state_;  // Everything settled, refusals that are not for good included.
  // Refusals since the last acceptance, and the state before the first of them.
  std::vector<PendingRefusal> pending_refusals_;
  ReplayState before_pending_;
  std::int32_t partition_ = 0;
  std::int64_t resumed_at_ = 0;  // Below it only parts of letters that were open are read.
  std::vector<OpenLetter> resumed_open_;
  SteadyTime saved_ = {};
  bool unsaved_ = false;
  ReplayEnd end_;
};

}  // namespace spanway::kafka_bridge
