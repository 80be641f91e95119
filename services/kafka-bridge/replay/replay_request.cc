#include "services/kafka-bridge/replay/replay_request.h"

#include <charconv>
#include <ctime>

#include "services/kafka-bridge/signal_topics.h"
#include "services/lib/runtime/flags.h"

namespace spanway::kafka_bridge {
namespace {

constexpr double kRateMax = 1e9;
constexpr std::uint64_t kRefusedMax = 10'000;

runtime::FlagSet flag_set(ReplayRequest& request, std::string& signal) {
  runtime::FlagSet set(
      "spanway-kafka-bridge replay --config FILE --topic TOPIC --rate ITEMS [flags]",
      "Sends records of a topic, dead letters or others, to `destination` once more. The\n"
      "configuration is that of the bridge (mode consume) of the destination. For example, the "
      "dead\n"
      "letters of an hour, at 500 spans a second:\n"
      "  spanway-kafka-bridge replay --config bridge.yaml --topic otel.traces.dlq --rate 500 \\\n"
      "    --from 2026-01-31T12:00:00Z --to 2026-01-31T13:00:00Z\n"
      "Nothing is removed from the topic. The same command resumes a replay that was ended.\n"
      "\n"
      "Exit code: 0 all was delivered; 1 Kafka or the state file failed; 2 bad usage or\n"
      "configuration; 3 the end was reached, and some records were refused or lost; 4 the\n"
      "destination accepts nothing; 130 stopped by a signal. After 1, 4 and 130 the same command\n"
      "resumes.");
  set.add("topic", request.topic, "topic to read: one of kafka.topics, a dead-letter topic, any");
  set.add("from", request.from,
          "first offset, or time of the first record as 2026-01-31T12:00:00Z; empty = the log's "
          "start");
  set.add("to", request.to,
          "offset or time behind the last record; empty = the log's end when the replay begins");
  set.add("rate", request.rate, "items (spans, data points, log records) a second, never more");
  set.add("dry-run", request.dry_run, "read, count by reason and tenant, send nothing");
  set.add("state", request.state_file,
          "file of the progress; empty = TOPIC.replay in the working directory");
  set.add(
      "letters-of", request.letters_of,
      "dead letters of which destination; empty = consumer.destination; others are passed over");
  set.add("signal", signal,
          "traces, metrics or logs; needed for a topic that kafka.topics does not name");
  set.add("refused-max", request.refused_max, "refusals in a row at which the replay stops");
  set.add("give-up-after", request.give_up_after,
          "time without an acceptance after which the replay stops");
  set.add("no-dedup", request.no_dedup,
          "with consumer.batch_identity: resume also after 7 days, when the destination may store "
          "the record in flight twice");
  return set;
}

bool is_reversed(const kafka::RangeBound& from, const kafka::RangeBound& to) {
  return (from.offset && to.offset && *from.offset >= *to.offset) ||
         (from.time_ms && to.time_ms && *from.time_ms >= *to.time_ms);
}

std::optional<otlp::Signal> signal_named(std::string_view name) {
  for (const otlp::Signal signal : otlp::kSignals)
    if (otlp::to_string(signal) == name) return signal;
  return std::nullopt;
}

std::optional<otlp::Signal> signal_of_topic(const kafka::TopicNames& topics,
                                            std::string_view topic) {
  for (const otlp::Signal signal : otlp::kSignals)
    if (topic == topic_of(topics, signal)) return signal;
  return std::nullopt;
}

std::string_view without_suffix(std::string_view topic, std::string_view suffix) {
  if (topic.ends_with(suffix)) topic.remove_suffix(suffix.size());
  return topic;
}

Status check_range(ReplayRequest& request) {
  for (auto [name, text, bound] : {std::tuple("--from", &request.from, &request.begin),
                                   std::tuple("--to", &request.to, &request.end)}) {
    const auto parsed = parse_range_bound(*text);
    if (!parsed)
      return invalid_argument(std::string(name) + " '" + *text +
                              "': give an offset, or a UTC time as 2026-01-31T12:00:00Z");
    *bound = *parsed;
  }
  if (is_reversed(request.begin, request.end))
    return invalid_argument("--to must be behind --from: it is the end, and not part of the range");
  return ok_status();
}

Status check_signal(const BridgeConfig& config, const std::string& name, ReplayRequest& request) {
  const auto known_signal = signal_of_topic(
      config.kafka.topics, without_suffix(request.topic, config.kafka.dead_letter_suffix));
  if (!name.empty()) {
    request.signal = signal_named(name);
    if (!request.signal)
      return invalid_argument("--signal '" + name + "': give traces, metrics or logs");
    if (!known_signal || *known_signal == *request.signal) return ok_status();
    return invalid_argument("--signal " + name + ": --topic '" + request.topic + "' holds " +
                            std::string(otlp::to_string(*known_signal)) + "; leave --signal out");
  }
  request.signal = known_signal;
  const bool known = request.signal || request.topic == config.consumer.dead_letters.fallback.topic;
  if (known) return ok_status();
  return invalid_argument("--topic '" + request.topic +
                          "' is none of kafka.topics and no dead-letter topic: give --signal, or "
                          "correct the name");
}

}  // namespace

std::string ReplayRequest::identity(const BridgeConfig& config) const {
  return topic + " from='" + from + "' to='" + to + "' letters-of='" + letters_of +
         "' destination=" + config.destination.endpoint;
}

std::string replay_help() {
  ReplayRequest request;
  std::string signal;
  return flag_set(request, signal).help();
}

Result<ReplayRequest> parse_replay_request(const BridgeConfig& config,
                                           const std::vector<std::string>& arguments) {
  ReplayRequest request;
  std::string signal;
  SPANWAY_TRY(flag_set(request, signal).parse(arguments));
  if (!config.consumes())
    return invalid_argument(
        "mode is produce: give the configuration of the bridge that delivers to the destination "
        "(mode consume)");
  if (request.topic.empty()) return invalid_argument("--topic is missing");
  if (request.rate < 0 || request.rate > kRateMax || (request.rate == 0 && !request.dry_run))
    return invalid_argument("--rate: give items a second, above 0 and at most 1e9");
  if (request.refused_max == 0 || request.refused_max > kRefusedMax)
    return invalid_argument("--refused-max: give 1 to 10000");
  SPANWAY_TRY(check_range(request));
  SPANWAY_TRY(check_signal(config, signal, request));
  if (request.letters_of.empty()) request.letters_of = config.consumer.destination;
  if (request.state_file.empty()) request.state_file = request.topic + ".replay";
  return request;
}

std::optional<kafka::RangeBound> parse_range_bound(std::string_view text) {
  kafka::RangeBound bound;
  if (text.empty()) return bound;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) {
    bound.offset = number;
    return bound;
  }
  std::tm parts = {};
  const std::string copy(text);
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  const int day = parts.tm_mday;
  const std::time_t seconds = timegm(&parts);
  if (parts.tm_mday != day || seconds < 0) return std::nullopt;  // The 31st of June.
  bound.time_ms = static_cast<std::int64_t>(seconds) * 1000;
  return bound;
}

std::optional<otlp::Signal> signal_of_record(const kafka::TopicNames& topics,
                                             std::optional<otlp::Signal> known,
                                             const kafka::StoredRecord& record) {
  if (known) return known;
  const std::string_view origin = record.header("spanway-origin");  // topic:partition:offset
  const std::size_t last = origin.rfind(':');
  if (last == origin.npos || last == 0) return std::nullopt;
  const std::size_t colon = origin.rfind(':', last - 1);
  return colon == origin.npos ? std::nullopt : signal_of_topic(topics, origin.substr(0, colon));
}

}  // namespace spanway::kafka_bridge
