#include "services/kafka-bridge/replay/replay_command.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <utility>

#include "services/kafka-bridge/exporter_client_options.h"
#include "services/kafka-bridge/replay/replay_request.h"
#include "services/kafka-bridge/replay/replay_tally.h"
#include "services/kafka-bridge/replay/replayer.h"
#include "services/lib/base/file.h"
#include "services/lib/base/json_writer.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/runtime/signal_watcher.h"
#include "services/lib/runtime/stop_signal.h"

namespace spanway::kafka_bridge {
namespace {

using Kind = ReplayEnd::Kind;

constexpr int kFailed = 1, kUsage = 2, kRefused = 3, kDestination = 4, kStopped = 130;
constexpr std::size_t kStateBytesMax = 16u << 20;
constexpr std::size_t kTextBytesMax = 1024;
// A replicated ClickHouse remembers inserts for a week.
constexpr Duration kIdentityAgeMax = std::chrono::hours(7 * 24);
constexpr Duration kProgressEvery = std::chrono::seconds(5);

int fail(int code, const std::string& problem) {
  std::fprintf(stderr, "spanway-kafka-bridge replay: %s\n", problem.c_str());
  return code;
}

// Held while a replay runs: two with one state would send everything twice.
class StateLock {
 public:
  StateLock() = default;
  StateLock(StateLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock() {
    if (file_ >= 0) ::close(file_);
  }
  static Result<StateLock> take(const std::string& state_file) {
    const std::string path = state_file + ".lock";
    StateLock lock;
    lock.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock.file_ < 0) return sinks::file_error(errno, "open", path);
    if (::flock(lock.file_, LOCK_EX | LOCK_NB) == 0) return lock;
    return configuration_error(Code::kAborted, "another process replays with the state " +
                                                   state_file +
                                                   "; wait for it, or give another --state");
  }

 private:
  int file_ = -1;
};

// The saved state, or that of a new replay.
Result<ReplayState> initial_state(const BridgeConfig& config, const ReplayRequest& request,
                                  kafka::RangeReader& reader) {
  const std::string identity = request.identity(config);
  if (!request.dry_run && ::access(request.state_file.c_str(), F_OK) == 0) {
    SPANWAY_ASSIGN(const std::string text, read_regular_file(request.state_file, kStateBytesMax));
    auto state = parse_replay_state(text);
    if (!state.ok())
      return std::move(state).error().with_context(request.state_file +
                                                   "; name another file by --state");
    if (state->request != identity)
      return invalid_argument(request.state_file + " is the state of another replay (" +
                              state->request + "); remove it, or name another file by --state");
    const auto age =
        system_clock().system_now().time_since_epoch() - std::chrono::milliseconds(state->saved_ms);
    if (config.consumer.batch_identity && !request.no_dedup && !state->left.empty() &&
        age > kIdentityAgeMax)
      return invalid_argument(
          "the replay was ended more than 7 days ago: the destination may have forgotten the "
          "record "
          "that was in flight, and store it twice; --no-dedup resumes it");
    return state;
  }
  ReplayState state;
  state.request = identity;
  SPANWAY_ASSIGN(state.left, reader.resolve(request.begin, request.end));
  return state;
}

std::int64_t offsets_left(const ReplayState& state) {
  std::int64_t left = 0;
  for (const auto& [partition, range] : state.left) left += range.end - range.begin;
  return left;
}

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::kComplete:
      return "complete";
    case Kind::kStopped:
      return "stopped";
    case Kind::kSourceFailed:
      return "kafka_failed";
    case Kind::kStateFailed:
      return "state_failed";
    case Kind::kDestinationFailed:
      break;
  }
  return "destination_failed";
}

void print_summary(const ReplayRequest& request, const ReplayEnd& end, const ReplayState& state,
                   const ReplayTally& tally) {
  std::string text;
  JsonWriter json(text, kTextBytesMax);
  const ReplayCounts& counts = state.counts;
  json.begin_object()
      .member("end", to_string(end.kind))
      .member("dry_run", request.dry_run)
      .member("topic", request.topic)
      .member("records", counts.records)
      .member("items", counts.items)
      .member("refused", counts.refused)
      .member("other_destinations", counts.others)
      .member("empty", counts.empty)
      .member("lost", counts.lost)
      .member("offsets_left", offsets_left(state));
  json.begin_array("refused_records");
  for (const std::string& place : state.refused) json.value(place);
  json.end_array();
  if (request.dry_run) tally.write(json.key("groups"));
  json.member("error", end.error).end_object();
  std::printf("%s\n", text.c_str());
}

int exit_code(const ReplayEnd& end, const ReplayState& state) {
  switch (end.kind) {
    case Kind::kComplete:
      return state.counts.refused + state.counts.lost > 0 ? kRefused : 0;
    case Kind::kStopped:
      return kStopped;
    case Kind::kDestinationFailed:
      return kDestination;
    case Kind::kSourceFailed:
    case Kind::kStateFailed:
      break;
  }
  return kFailed;
}

// Prints a line every kProgressEvery.
class Progress {
 public:
  explicit Progress(std::string topic) : topic_(std::move(topic)), last_(system_clock().now()) {}
  void operator()(const ReplayState& state) {
    const SteadyTime now = system_clock().now();
    if (now - last_ < kProgressEvery) return;
    const double seconds = std::chrono::duration<double>(now - last_).count();
    std::fprintf(stderr,
                 "%s: %" PRIu64 " records, %" PRIu64 " items (%.0f a second), %" PRIu64
                 " refused, %" PRId64 " offsets left\n",
                 topic_.c_str(), state.counts.records, state.counts.items,
                 static_cast<double>(state.counts.items - items_) / seconds, state.counts.refused,
                 offsets_left(state));
    last_ = now;
    items_ = state.counts.items;
  }

 private:
  const std::string topic_;
  SteadyTime last_;
  std::uint64_t items_ = 0;
};

ReplayOptions replay_options(const BridgeConfig& config, const ReplayRequest& request,
                             ReplayTally& tally) {
  ReplayOptions options;
  options.topic = request.topic;
  options.signal_of = [topics = config.kafka.topics,
                       known = request.signal](const kafka::StoredRecord& record) {
    return signal_of_record(topics, known, record);
  };
  options.letters_of = request.letters_of;
  options.items_per_second = request.rate;
  options.batch_identity = config.consumer.batch_identity;
  options.answer_timeout = config.destination.timeout;
  options.give_up_after = request.give_up_after;
  options.refused_max = request.refused_max;
  if (request.dry_run)
    options.dry_run = [&tally](const kafka::StoredRecord& record, std::uint64_t items) {
      tally.add(record, items);
    };
  return options;
}

int replay(const BridgeConfig& config, const ReplayRequest& request, runtime::StopSignal& stop) {
  const telemetry::Logger log = telemetry::Logger::create({.service = "kafka-bridge"});
  telemetry::Metrics metrics;
  auto reader =
      kafka::create_range_reader(config.kafka, config.consumer.kafka.isolation, request.topic, log);
  if (!reader.ok()) return fail(kFailed, reader.error().message);
  auto sink = rpc::OtlpGrpcSink::create(exporter_client_options(config.destination), system_clock(),
                                        {log, metrics});
  if (!sink.ok()) return fail(kUsage, "destination: " + sink.error().message);
  auto state = initial_state(config, request, **reader);
  if (!state.ok())
    return fail(state.error().refusal == Refusal::kData ? kUsage : kFailed, state.error().message);
  if (state->left.empty())
    std::fprintf(stderr,
                 "%s: nothing is left of this range, or no record is in it; to replay it again, "
                 "remove %s\n",
                 request.topic.c_str(), request.state_file.c_str());

  ReplayTally tally;
  Progress progress(request.topic);
  Replayer replayer(replay_options(config, request, tally),
                    {.reader = **reader,
                     .sink = **sink,
                     .clock = system_clock(),
                     .random = Random::from_entropy(),
                     .wait = [&](Duration duration) { return !stop.wait_for(duration); },
                     .save =
                         [&](const ReplayState& saved) {
                           return save_replay_state(sinks::posix_file_ops(), request.state_file,
                                                    saved);
                         },
                     .refused =
                         [&](const std::string& place, const std::string& why) {
                           std::fprintf(stderr, "%s:%s: %s\n", request.topic.c_str(), place.c_str(),
                                        json_quoted(why, kTextBytesMax).c_str());
                         },
                     .progress = [&](const ReplayState& now) { progress(now); }});
  const ReplayEnd end = replayer.run(*state);
  print_summary(request, end, *state, tally);
  if (!end.error.empty()) return fail(exit_code(end, *state), end.error);
  return exit_code(end, *state);
}

}  // namespace

int replay_command(const BridgeConfig& config, const std::vector<std::string>& arguments) {
  const auto request = parse_replay_request(config, arguments);
  if (!request.ok()) return fail(kUsage, request.error().message);
  runtime::block_signals();
  runtime::StopSignal stop;
  auto signals =
      runtime::SignalWatcher::create({.stop = [&stop](const char* name) { stop.request(name); },
                                      .stop_again = [](const char*) { _exit(kStopped); },
                                      .hang_up = [] {}});
  if (!signals.ok()) return fail(kFailed, signals.error().message);
  if (request->dry_run) return replay(config, *request, stop);
  const auto lock = StateLock::take(request->state_file);
  if (!lock.ok()) return fail(kFailed, lock.error().message);
  return replay(config, *request, stop);
}

}  // namespace spanway::kafka_bridge
