#include "services/kafka-bridge/replay/replayer.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <iterator>
#include <memory>
#include <utility>

#include "services/lib/otlp/reader.h"

namespace spanway::kafka_bridge {
namespace {

constexpr Duration kReadWait = std::chrono::milliseconds(200);
constexpr BackoffOptions kRetry = {std::chrono::milliseconds(100), std::chrono::seconds(5), 2.0,
                                   0.5};
constexpr Duration kProgressEvery = std::chrono::seconds(1);  // Within a wait.
// A refusal that says neither "later" nor "never".
constexpr int kUnknownTries = 3;

bool is_of_another(const kafka::StoredRecord& record, const std::string& destination) {
  const std::string_view refused_by = record.header("spanway-destination");
  return !refused_by.empty() && refused_by != destination;
}

}  // namespace

Replayer::Replayer(ReplayOptions options, ReplayDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      pace_(options_.items_per_second, deps_.clock.now()),
      backoff_(kRetry, deps_.random) {}

ReplayEnd Replayer::run(ReplayState& state) {
  state_ = state;
  saved_ = deps_.clock.now();
  while (!state_.left.empty() && replay_partition(state_.left.begin()->first)) continue;
  return finish(state);
}

// False: the replay ends.
bool Replayer::end(ReplayEnd::Kind kind, std::string error) {
  end_ = {kind, std::move(error)};
  return false;
}

// A replay that ends while refusals are held is resumed before the first of them.
ReplayEnd Replayer::finish(ReplayState& state) {
  using Kind = ReplayEnd::Kind;
  const bool all_data = std::all_of(pending_refusals_.begin(), pending_refusals_.end(),
                                    [](const PendingRefusal& refusal) { return refusal.data; });
  if (end_.kind == Kind::kComplete && !all_data)
    end(Kind::kDestinationFailed, pending_refusals_.back().why);
  if (end_.kind == Kind::kComplete) {
    for (const PendingRefusal& refusal : std::exchange(pending_refusals_, {}))
      refuse(refusal.place, refusal.why);
  }
  unsaved_ = true;
  if (end_.kind != Kind::kStateFailed) save();
  state = pending_refusals_.empty() ? state_ : before_pending_;
  return end_;
}

bool Replayer::replay_partition(std::int32_t partition) {
  partition_ = partition;
  if (!start(partition)) return false;
  SteadyTime last_read = deps_.clock.now();
  while (!deps_.reader.at_end()) {
    auto record = deps_.reader.next(kReadWait);
    if (!record.ok()) return end(ReplayEnd::Kind::kSourceFailed, record.error().message);
    if (record->has_value()) {
      if (!settle(std::move(**record))) return false;
      last_read = deps_.clock.now();
    } else if (!wait_for_source(last_read)) {
      return false;
    }
    if (deps_.clock.now() - saved_ >= kSaveEvery && !save()) return false;
  }
  refuse_incomplete(joiner_.take_open());
  state_.open.clear();
  state_.left.erase(partition);
  unsaved_ = true;
  return true;
}

bool Replayer::start(std::int32_t partition) {
  kafka::OffsetRange range = state_.left[partition];
  resumed_at_ = range.begin;
  resumed_open_ = state_.open;
  for (const OpenLetter& letter : resumed_open_) range.begin = std::min(range.begin, letter.first);
  const auto first = deps_.reader.start(partition, range);
  if (!first.ok()) return end(ReplayEnd::Kind::kSourceFailed, first.error().message);
  if (*first > range.begin) {
    const std::int64_t begin = state_.left[partition].begin;
    if (*first > begin) {
      const std::uint64_t lost = static_cast<std::uint64_t>(*first - begin);
      state_.counts.lost += lost;
      state_.left[partition].begin = std::min(*first, range.end);
      deps_.refused(
          place_of(begin),
          std::to_string(lost) + " offsets were deleted from the log before they were read");
    }
    std::vector<OpenLetter> gone;
    std::partition_copy(state_.open.begin(), state_.open.end(), std::back_inserter(gone),
                        resumed_open_.begin(),
                        [&](const OpenLetter& letter) { return letter.first < *first; });
    resumed_open_.resize(resumed_open_.size() - gone.size());
    state_.open = resumed_open_;
    refuse_incomplete(gone);
    unsaved_ = true;
  }
  return true;
}

bool Replayer::wait_for_source(SteadyTime since) {
  if (!wait(Duration::zero())) return false;
  if (deps_.clock.now() - since < options_.give_up_after) return true;
  const Status brokers = deps_.reader.brokers();
  return end(
      ReplayEnd::Kind::kSourceFailed,
      "nothing could be read" + (brokers.ok() ? std::string() : ": " + brokers.error().message));
}

// Saves before a wait that is longer than what a kill may cost.
bool Replayer::wait(Duration duration) {
  if (duration >= kSaveEvery && !save()) return false;
  do {
    const Duration step = std::min(duration, kProgressEvery);
    if (!deps_.wait(step)) return end(ReplayEnd::Kind::kStopped, "");
    duration -= step;
    deps_.progress(state_);
  } while (duration > Duration::zero());
  return true;
}

bool Replayer::save() {
  deps_.progress(state_);
  saved_ = deps_.clock.now();
  if (options_.dry_run || !unsaved_) return true;
  ReplayState& state = pending_refusals_.empty() ? state_ : before_pending_;
  state.saved_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                       deps_.clock.system_now().time_since_epoch())
                       .count();
  unsaved_ = false;
  const Status saved = deps_.save(state);
  return saved.ok() || end(ReplayEnd::Kind::kStateFailed, saved.error().message);
}

std::string Replayer::place_of(std::int64_t offset) const {
  return std::to_string(partition_) + ":" + std::to_string(offset);
}

void Replayer::refuse(const std::string& place, const std::string& why) {
  ++state_.counts.refused;
  if (state_.refused.size() < ReplayState::kRefusedMax) state_.refused.push_back(place);
  deps_.refused(place, why);
}

void Replayer::refuse_incomplete(const std::vector<OpenLetter>& letters) {
  for (const OpenLetter& letter : letters)
    refuse(place_of(letter.first), "parts of letter " + letter.id + " are missing in the range");
}

// False: the replay ends, and the record is not settled.
bool Replayer::settle(kafka::StoredRecord record) {
  const std::int64_t next = record.offset + 1;
  if (is_of_another(record, options_.letters_of)) {
    if (record.offset >= resumed_at_) ++state_.counts.others;
  } else if (auto complete = join(std::move(record)); complete && next > resumed_at_) {
    const auto signal = options_.signal_of(*complete);
    const auto items =
        signal ? otlp::count_items(*signal, complete->value)
               : Result<std::uint64_t>(invalid_argument("its signal is unknown; give --signal"));
    if (!items.ok()) {
      refuse(place_of(complete->offset), "cannot be sent: " + items.error().message);
    } else if (*items == 0) {
      ++state_.counts.empty;
    } else if (!deliver(*complete, *signal, *items)) {
      return false;
    }
  }
  state_.left[partition_].begin = std::max(next, resumed_at_);
  if (next >= resumed_at_) state_.open = joiner_.open();
  unsaved_ = true;
  return true;
}

// The record to send: itself, a letter whose last part it is, or nothing. Below the offset of the
// resumption only parts of letters that were open there are taken.
std::optional<kafka::StoredRecord> Replayer::join(kafka::StoredRecord record) {
  if (!LetterJoiner::is_part(record)) return record;
  const std::int64_t offset = record.offset;
  const std::string_view id = record.header("spanway-letter");
  const auto was_open = [&](const OpenLetter& letter) {
    return letter.id == id && letter.first <= offset;
  };
  if (offset < resumed_at_ && std::none_of(resumed_open_.begin(), resumed_open_.end(), was_open))
    return std::nullopt;
  auto joined = joiner_.add(std::move(record));
  refuse_incomplete(joiner_.take_given_up());
  if (joined.ok()) return std::move(*joined);
  if (offset >= resumed_at_) refuse(place_of(offset), joined.error().message);
  return std::nullopt;
}

bool Replayer::deliver(const kafka::StoredRecord& record, otlp::Signal signal,
                       std::uint64_t items) {
  if (options_.dry_run) {
    options_.dry_run(record, items);
    accept(items);
    return true;
  }
  backoff_.reset();
  std::optional<SteadyTime> refused_first;
  for (int tries = 1;; ++tries) {
    if (!wait(pace_.take(items, deps_.clock.now()))) return false;
    auto answer = send(record, signal, items);
    if (answer.ok()) {
      accept(items);
      if (answer->rejected > 0)
        refuse(place_of(record.offset), std::to_string(answer->rejected) + " of " +
                                            std::to_string(items) +
                                            " items are refused: " + answer->message);
      return true;
    }
    const Error& error = answer.error();
    const bool retry = error.refusal == Refusal::kTransient ||
                       (error.refusal == Refusal::kUnknown && tries < kUnknownTries);
    if (!retry) return hold(record, error);
    const SteadyTime now = deps_.clock.now();
    if (now - refused_first.value_or(now) >= options_.give_up_after)
      return end(ReplayEnd::Kind::kDestinationFailed,
                 "record " + place_of(record.offset) + " was not accepted: " + error.message);
    refused_first = refused_first.value_or(now);
    if (!wait(std::max<Duration>(backoff_.next(),
                                 error.retry_after.value_or(std::chrono::milliseconds(0)))))
      return false;
  }
}

void Replayer::accept(std::uint64_t items) {
  for (const PendingRefusal& refusal : std::exchange(pending_refusals_, {}))
    refuse(refusal.place, refusal.why);
  ++state_.counts.records;
  state_.counts.items += items;
}

// False: nothing else is accepted either.
bool Replayer::hold(const kafka::StoredRecord& record, const Error& error) {
  if (pending_refusals_.empty()) before_pending_ = state_;
  pending_refusals_.push_back(
      {place_of(record.offset), error.message, error.refusal == Refusal::kData});
  if (pending_refusals_.size() < options_.refused_max) return true;
  return end(
      ReplayEnd::Kind::kDestinationFailed,
      std::to_string(pending_refusals_.size()) +
          " records in a row were refused, and none was accepted behind them; the last one, " +
          pending_refusals_.back().place + ": " + error.message);
}

Result<pipeline::Outcome> Replayer::send(const kafka::StoredRecord& record, otlp::Signal signal,
                                         std::uint64_t items) {
  pipeline::Batch batch;
  batch.signal = signal;
  batch.payload = Bytes(record.value);
  batch.item_count = items;
  batch.metadata.tenant = record.header("spanway-tenant");
  if (options_.batch_identity) {
    batch.metadata.batch_id =
        options_.topic + ":" + place_of(record.offset) + "-" + std::to_string(record.offset);
    if (!batch.metadata.tenant.empty()) batch.metadata.batch_id += ":" + batch.metadata.tenant;
  }
  batch.deadline = Deadline::after(deps_.clock, options_.answer_timeout);
  auto promise = std::make_shared<std::promise<Result<pipeline::Outcome>>>();
  auto answer = promise->get_future();
  deps_.sink.send(std::move(batch), pipeline::AckToken([promise](Result<pipeline::Outcome> result) {
                    promise->set_value(std::move(result));
                  }));
  return answer.get();  // The sink answers by the batch's deadline.
}

}  // namespace spanway::kafka_bridge
