// A configuration with a key of every type, for the tests of this folder.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "services/lib/config/load.h"

namespace spanway::config {

enum class Compression { kNone, kGzip, kZstd };

struct SampleTopics {
  std::string traces = "otel.traces";
  std::string logs = "otel.logs";
};
inline void describe(Binder& b, SampleTopics& c) {
  b.key("traces", c.traces,
        {.doc = "Topic of traces.", .alias = "KAFKA_TOPIC", .pattern = "[a-zA-Z0-9._-]{1,249}"});
  b.key("logs", c.logs, {.doc = "Topic of logs."});
}

struct SampleKafka {
  std::vector<std::string> brokers{"localhost:9092"};
  SampleTopics topics;
  Secret password;
  Compression compression = Compression::kZstd;
};
inline void describe(Binder& b, SampleKafka& c) {
  b.key("brokers", c.brokers,
        {.doc = "Where to begin.", .alias = "KAFKA_BROKERS", .pattern = "[^:, ]+:[0-9]+"});
  b.section("topics", c.topics, "Names of topics.");
  b.key("password", c.password, {.doc = "SASL password.", .reread = true});
  b.key("compression", c.compression, {"none", "gzip", "zstd"}, {.doc = "Codec."});
}

struct SampleListen {
  std::string host = "0.0.0.0";
  std::uint16_t port = 4317;
};
inline void describe(Binder& b, SampleListen& c) {
  b.key("host", c.host, {.doc = "Address.", .alias = "SERVER_HOST"});
  b.key("port", c.port, {.doc = "TCP port.", .alias = "GRPC_PORT, SERVER_PORT"});
}

struct SampleLimits {
  Duration timeout = std::chrono::seconds(30);
  ByteSize body{64ULL << 20};
  double ratio = 0.5;
  std::int64_t workers = 4;
  bool strict = false;
};
inline void describe(Binder& b, SampleLimits& c) {
  b.key("timeout", c.timeout, {.doc = "Longest wait.", .min = 1000, .max = 3'600'000});
  b.key("body", c.body, {.doc = "Largest body.", .min = 1024, .max = 1024.0 * 1024 * 1024});
  b.key("ratio", c.ratio, {.doc = "Share | part.", .min = 0, .max = 1});
  b.key("workers", c.workers, {.doc = "Threads.", .example = "8", .min = 1, .max = 64});
  b.key("strict", c.strict, {.doc = "Refuse more."});
}

struct SampleDestination {
  std::string name;
  std::string url = "http://localhost";
};
inline void describe(Binder& b, SampleDestination& c) {
  b.key("name", c.name, {.doc = "Unique name.", .example = "jaeger", .required = true});
  b.key("url", c.url, {.doc = "Where to send."});
}

struct SampleConfig {
  SampleKafka kafka;
  SampleListen listen;
  SampleLimits limits;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> headers;
  std::vector<SampleDestination> destinations;
};
inline void describe(Binder& b, SampleConfig& c) {
  b.section("kafka", c.kafka, "The broker.");
  b.section("listen", c.listen, "The listener.");
  b.section("limits", c.limits, "Bounds.");
  b.key("labels", c.labels, {.doc = "Added to everything."});
  b.key("headers", c.headers, {.doc = "Sent along.", .secret = true});
  b.list("destinations", c.destinations, "Where telemetry goes.");
}
inline void validate(const SampleConfig& c, Problems& problems) {
  if (c.limits.workers == 13) problems.add("limits.workers", "13 brings bad luck");
  if (c.listen.port == 9092) problems.add("listen.port", "is the broker's port");
  for (std::size_t i = 0; i < c.destinations.size(); ++i)
    if (c.destinations[i].url.empty())
      problems.add("destinations[" + std::to_string(i) + "].url", "must not be empty");
}

inline Describe describe_of(SampleConfig& c) {
  return [&c](Binder& b) { describe(b, c); };
}

inline LoadReport load_sample(SampleConfig& c, std::string_view yaml, const Sources& sources = {}) {
  return load(yaml, "sample.yaml", sources, describe_of(c),
              [&c](Problems& problems) { validate(c, problems); });
}

}  // namespace spanway::config
