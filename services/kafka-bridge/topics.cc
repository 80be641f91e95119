#include "services/kafka-bridge/topics.h"

#include <algorithm>
#include <cstdio>

#include "services/kafka-bridge/signal_topics.h"
#include "services/lib/base/json_writer.h"
#include "services/lib/runtime/flags.h"
#include "services/lib/runtime/termination.h"

namespace spanway::kafka_bridge {
namespace {

// A Job is started anew when this is over.
constexpr Duration kTimeout = std::chrono::seconds(60);
// Dead letters may come from other producers and be larger than what we write ourselves.
constexpr std::uint64_t kDeadLetterBytesMax = 16u << 20;
constexpr std::size_t kErrorBytesMax = 1024;
// The brokers' default.
constexpr std::uint64_t kBrokerDefaultBytes = 1'000'000;

std::string milliseconds(Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

kafka::TopicSpec spec_of(const BridgeConfig& config, const std::string& name,
                         std::int64_t partitions, Duration retention) {
  kafka::TopicSpec spec;
  spec.name = name;
  spec.partitions = static_cast<std::int32_t>(partitions);
  if (config.topics.replication_factor > 0) {
    spec.replication_factor = static_cast<std::int32_t>(config.topics.replication_factor);
  }
  spec.settings["retention.ms"] = milliseconds(retention);
  spec.settings["unclean.leader.election.enable"] = "false";
  // The retention must not depend on the clocks of producers.
  spec.settings["message.timestamp.type"] = "LogAppendTime";
  if (config.topics.min_insync_replicas > 0) {
    spec.settings["min.insync.replicas"] = std::to_string(config.topics.min_insync_replicas);
  }
  return spec;
}

}  // namespace

std::vector<kafka::TopicSpec> topic_specs(const BridgeConfig& config,
                                          const std::vector<otlp::Signal>& signals) {
  std::vector<kafka::TopicSpec> specs;
  const std::uint64_t record_bytes = config.producer.kafka.record_bytes_max.bytes + (64u << 10);
  for (const otlp::Signal signal : signals) {
    const std::string& name = topic_of(config.kafka.topics, signal);
    specs.push_back(spec_of(config, name, config.topics.partitions, config.topics.retention));
    specs.back().keyed = config.producer.record_key == ProduceConfig::RecordKey::kTraceId;
    specs.back().record_bytes = record_bytes;
    if (record_bytes > kBrokerDefaultBytes) {
      specs.back().settings["max.message.bytes"] = std::to_string(record_bytes);
    }
    specs.push_back(spec_of(config, name + config.kafka.dead_letter_suffix,
                            config.topics.dead_letter_partitions,
                            config.topics.dead_letter_retention));
    specs.back().settings["max.message.bytes"] = std::to_string(kDeadLetterBytesMax);
  }
  return specs;
}

std::string to_json(const std::vector<kafka::TopicReport>& reports, std::size_t text_bytes_max) {
  std::string text;
  JsonWriter json(text);
  const auto limited = [text_bytes_max](const std::string& words) {
    return json_quoted(words, text_bytes_max);
  };
  json.begin_object().begin_array("topics");
  bool ok = true;
  for (const kafka::TopicReport& report : reports) {
    json.begin_object()
        .member("name", report.name)
        .member("action", to_string(report.action))
        .member("partitions", report.partitions)
        .member("replication_factor", report.replication_factor);
    if (report.min_insync_replicas) json.member("min_insync_replicas", *report.min_insync_replicas);
    json.begin_array("weaker");
    for (const std::string& weaker : report.weaker) json.raw(limited(weaker));
    json.end_array().key("error").raw(limited(report.error));
    if (!report.unread.empty()) json.key("unread").raw(limited(report.unread));
    json.end_object();
    ok = ok && report.action != kafka::TopicReport::Action::kFailed && report.weaker.empty();
  }
  json.end_array().member("ok", ok).end_object();
  return text;
}

std::string termination_report(std::vector<kafka::TopicReport> reports) {
  for (kafka::TopicReport& report : reports) {
    report.error = runtime::redact(report.error);
    report.unread = runtime::redact(report.unread);
    for (std::string& weaker : report.weaker) weaker = runtime::redact(weaker);
  }
  for (const std::size_t text_bytes_max : {256u, 96u, 32u}) {
    std::string json = to_json(reports, text_bytes_max);
    if (json.size() < runtime::kTerminationBytesMax) return json;
  }
  return R"({"topics":[],"ok":false,"error":"the report is too long; it is in the pod's log"})";
}

void log_reports(const std::vector<kafka::TopicReport>& reports, const telemetry::Logger& log) {
  using Action = kafka::TopicReport::Action;
  const auto number_of = [&reports](Action action) {
    return static_cast<std::int64_t>(std::count_if(
        reports.begin(), reports.end(),
        [action](const kafka::TopicReport& report) { return report.action == action; }));
  };
  log.info("Topics applied", {{"created", number_of(Action::kCreated)},
                              {"grown", number_of(Action::kGrown)},
                              {"changed", number_of(Action::kChanged)},
                              {"unchanged", number_of(Action::kUnchanged)},
                              {"failed", number_of(Action::kFailed)}});
  for (const kafka::TopicReport& report : reports) {
    if (!report.error.empty()) {
      log.error("Topic is not usable", {{"topic", report.name}, {"error", report.error}});
    }
    if (!report.unread.empty()) {
      log.info("Topic's settings are not compared",
               {{"topic", report.name}, {"reason", report.unread}});
    }
    for (const std::string& weaker : report.weaker) {
      log.warn("Topic settings are weaker than configured",
               {{"topic", report.name}, {"what", weaker}});
    }
  }
}

std::vector<std::string> weaknesses(const std::vector<kafka::TopicReport>& reports) {
  std::vector<std::string> found;
  for (const kafka::TopicReport& report : reports) {
    for (const std::string& weaker : report.weaker) found.push_back(report.name + ": " + weaker);
    for (const std::string& note : report.notes) found.push_back(report.name + ": " + note);
    if (report.compacted && !report.error.empty()) found.push_back(report.error);
    if (report.min_insync_replicas == 1) {
      found.push_back(report.name +
                      ": min.insync.replicas is 1: the loss of one broker can lose records that "
                      "were answered OK");
    }
  }
  return found;
}

int topics_command(const BridgeConfig& config, kafka::TopicChanges changes,
                   const std::vector<std::string>& arguments) {
  bool create_only = false;
  runtime::FlagSet flags("spanway-kafka-bridge topics apply|verify [--config FILE]", "");
  if (changes != kafka::TopicChanges::kNone)
    flags.add("create-only", create_only, "create missing topics, change none");
  if (const Status parsed = flags.parse(arguments); !parsed.ok()) {
    std::fprintf(stderr, "%s\n", parsed.error().message.c_str());
    return 2;
  }
  if (create_only) changes = kafka::TopicChanges::kCreate;
  const telemetry::Logger log = telemetry::Logger::create({.service = "kafka-bridge"});
  telemetry::Metrics metrics;
  const std::vector<otlp::Signal> all(otlp::kSignals.begin(), otlp::kSignals.end());
  kafka::TopicAdmin admin(config.kafka, system_clock(), {log, metrics});
  const auto reports =
      admin.apply(topic_specs(config, all), changes, Deadline::after(system_clock(), kTimeout));
  if (!reports.ok()) {
    const auto failure = [](const std::string& words) {
      return "{\"topics\":[],\"ok\":false,\"error\":" + json_quoted(words, kErrorBytesMax) + "}";
    };
    std::printf("%s\n", failure(reports.error().message).c_str());
    runtime::write_termination_report(runtime::kTerminationLog,
                                      failure(runtime::redact(reports.error().message)));
    return 1;
  }
  std::printf("%s\n", to_json(*reports).c_str());
  runtime::write_termination_report(runtime::kTerminationLog, termination_report(*reports));
  int code = 0;
  for (const kafka::TopicReport& report : *reports) {
    if (report.action == kafka::TopicReport::Action::kFailed) return 1;
    if (!report.weaker.empty()) code = 3;
  }
  return code;
}

}  // namespace spanway::kafka_bridge
