#include "services/exporter/config.h"

#include <gtest/gtest.h>

#include <string>

#include "services/lib/config/load.h"

namespace spanway::exporter {
namespace {

struct Loaded {
  ExporterConfig config;
  config::LoadReport report;
  std::string problems() const { return config::format(report.problems, "e.yaml"); }
};

Loaded load(std::string_view yaml, const std::map<std::string, std::string>& environment = {}) {
  Loaded loaded;
  config::Sources sources;
  sources.environment = environment;
  sources.read_file = [](const std::string&) { return std::nullopt; };
  loaded.report = config::load(
      yaml, "e.yaml", sources, [&](config::Binder& b) { describe(b, loaded.config); },
      [&](config::Problems& problems) { validate(loaded.config, problems); });
  return loaded;
}
// The one problem that the text has.
std::string problem_of(std::string_view yaml) {
  const Loaded loaded = load(yaml);
  EXPECT_EQ(loaded.report.problems.all().size(), 1u) << loaded.problems();
  return loaded.problems();
}

TEST(ExporterConfig, DefaultsAreGood) {
  const Loaded loaded = load("");
  EXPECT_EQ(loaded.problems(), "");
  EXPECT_EQ(loaded.config.otlp.grpc.port, 4337);
  EXPECT_EQ(loaded.config.otlp.connections.connection_age_max, std::chrono::minutes(5));
  EXPECT_EQ(loaded.config.destination.type, sinks::DestinationType::kOtlpGrpc);
  EXPECT_FALSE(loaded.config.trust_metadata);
}

TEST(ExporterConfig, ReadsEveryDestination) {
  const Loaded loaded = load(R"(
otlp: {host: 0.0.0.0, grpc: {port: 0}}
trust_metadata: true
destination:
  type: otlp_http
  otlp_http:
    endpoint: https://otlp.example.com/base
    logs_endpoint: http://loki:3100/otlp/v1/logs
    encoding: json
    compression: zstd
    headers: {authorization: "Bearer x"}
    timeout: 3s
  zipkin: {endpoint: "http://z:9411", request_bytes_max: 1MiB, resource_tags: [host.name]}
  file: {path: /tmp/x, fsync: interval, rotate: {bytes_max: 1GiB, age_max: 1h, files_max: 3}}
  debug: {verbosity: detailed}
)");
  EXPECT_EQ(loaded.problems(), "");
  const sinks::DestinationConfig& d = loaded.config.destination;
  EXPECT_EQ(d.type, sinks::DestinationType::kOtlpHttp);
  EXPECT_EQ(d.otlp_http.encoding, sinks::OtlpHttpConfig::Encoding::kJson);
  EXPECT_EQ(d.otlp_http.http.compression, sinks::HttpConfig::Compression::kZstd);
  EXPECT_EQ(d.otlp_http.http.headers.at("authorization"), "Bearer x");
  EXPECT_EQ(d.zipkin.request_bytes_max.bytes, 1u << 20);
  EXPECT_EQ(d.zipkin.http.compression, sinks::HttpConfig::Compression::kNone);
  EXPECT_EQ(d.file.rotate.files_max, 3);
  EXPECT_EQ(d.debug.verbosity, sinks::DebugConfig::Verbosity::kDetailed);
}

TEST(ExporterConfig, JaegerEndpointIsAnAlias) {
  const Loaded loaded = load("", {{"JAEGER_ENDPOINT", "http://jaeger:4317/"}});
  EXPECT_EQ(loaded.problems(), "");
  EXPECT_EQ(sinks::grpc_target(loaded.config.destination.otlp_grpc), "jaeger:4317");
  EXPECT_FALSE(sinks::uses_tls(loaded.config.destination.otlp_grpc));
  EXPECT_EQ(sinks::endpoint_of(loaded.config.destination), "jaeger:4317");
}

TEST(ExporterConfig, HttpsTurnsTlsOn) {
  sinks::OtlpGrpcConfig config;
  config.endpoint = "https://otlp.example.com:443";
  EXPECT_TRUE(sinks::uses_tls(config));
  EXPECT_EQ(sinks::grpc_target(config), "otlp.example.com:443");
}

TEST(ExporterConfig, PrintsNoSecrets) {
  Loaded loaded = load(R"(
destination:
  otlp_grpc: {headers: {authorization: "Bearer hunter2"}}
  zipkin: {headers: {x-key: hunter2}}
)");
  EXPECT_EQ(loaded.problems(), "");
  const std::string printed = config::print([&](config::Binder& b) { describe(b, loaded.config); });
  EXPECT_EQ(printed.find("hunter2"), std::string::npos) << printed;
  EXPECT_NE(printed.find("authorization"), std::string::npos);
}

TEST(ExporterConfig, EndpointForPeopleHasNoQuery) {
  sinks::DestinationConfig config;
  config.type = sinks::DestinationType::kOtlpHttp;
  config.otlp_http.endpoint = "https://h/x?api_key=secret";
  EXPECT_EQ(sinks::endpoint_of(config), "https://h/x");
}

TEST(ExporterConfig, RefusesSignalsThatTheDestinationDoesNotTake) {
  const std::string problem =
      problem_of("signals: [traces, metrics]\ndestination: {type: zipkin}\n");
  EXPECT_NE(problem.find("signals: a zipkin destination does not take metrics"), std::string::npos)
      << problem;
}

TEST(ExporterConfig, RefusesEndpointsThatAreNone) {
  EXPECT_NE(problem_of("destination: {type: zipkin, zipkin: {endpoint: 'zipkin:9411'}}")
                .find("destination.zipkin.endpoint"),
            std::string::npos);
  EXPECT_NE(problem_of("destination: {type: zipkin, zipkin: {endpoint: 'http://u:p@z:9411'}}")
                .find("must not hold a user or password"),
            std::string::npos);
  EXPECT_NE(problem_of("destination: {otlp_grpc: {endpoint: jaeger}}").find("must be host:port"),
            std::string::npos);
  EXPECT_NE(problem_of("destination: {type: otlp_http, otlp_http: {logs_endpoint: loki}}")
                .find("destination.otlp_http.logs_endpoint"),
            std::string::npos);
}

TEST(ExporterConfig, RefusesUrlsThatSayTooMuchOrTooLittle) {
  const auto problem = [](const std::string& type, const std::string& keys) {
    return problem_of("destination: {type: " + type + ", " + type + ": {" + keys + "}}");
  };
  for (const char* path :
       {"/otlp", "/otlp/", "/otlp/v1/logs", "/loki/api/v1/push", "/api/prom/push"})
    EXPECT_NE(problem("loki", std::string("endpoint: 'http://loki:3100") + path + "'")
                  .find("destination.loki.endpoint: must be the base URL"),
              std::string::npos)
        << path;
  EXPECT_NE(problem("loki", "endpoint: 'http://loki:3100?a=b'").find("must not hold a query"),
            std::string::npos);
  EXPECT_EQ(load("destination: {type: loki, loki: {endpoint: 'https://otlp-logs/tenants/a/'}}")
                .problems(),
            "");
  for (const char* path : {"", "/"})
    EXPECT_NE(
        problem("prometheus_remote_write", std::string("endpoint: 'http://p:9090") + path + "'")
            .find("has no path: write that of the receiver"),
        std::string::npos);
  for (const char* url : {"http://minio:9000/traces", "http://minio:9000/traces/",
                          "https://traces.s3.eu-west-1.amazonaws.com"})
    EXPECT_NE(problem("s3", std::string("bucket: traces, endpoint: '") + url + "'")
                  .find("destination.s3.endpoint: holds the bucket"),
              std::string::npos)
        << url;
  EXPECT_EQ(load("destination: {type: s3, s3: {bucket: traces, endpoint: "
                 "'https://traces.example/storage/s3'}}")
                .problems(),
            "");
}

TEST(ExporterConfig, NamesSectionsThatTheTypeDoesNotUse) {
  const std::string problem = problem_of("destination: {s3: {bucket: traces}}\n");
  EXPECT_NE(problem.find("destination.s3: is not used without a type, which would be otlp_grpc: "
                         "write type: s3 beside it"),
            std::string::npos)
      << problem;
  EXPECT_EQ(load("destination: {otlp_grpc: {endpoint: 'jaeger:4317'}}").problems(), "");
  const auto loaded = load("destination: {type: debug, loki: {endpoint: 'http://loki:3100'}}");
  ASSERT_EQ(loaded.report.warnings.size(), 1u);
  EXPECT_EQ(loaded.report.warnings[0], "destination.loki is not used: destination.type is debug");
}

TEST(ExporterConfig, RefusesPrefixesThatAPathDoesNotKeep) {
  for (const char* prefix : {"..", "a/../b", "./a", "a/."})
    EXPECT_NE(problem_of(std::string("destination: {type: s3, s3: {bucket: traces, prefix: ") +
                         prefix + "}}")
                  .find("destination.s3.prefix: must not have"),
              std::string::npos)
        << prefix;
  EXPECT_EQ(load("destination: {type: s3, s3: {bucket: traces, prefix: a..b/.c/d}}").problems(),
            "");
}

TEST(ExporterConfig, ChecksOnlyTheDestinationThatIsUsed) {
  EXPECT_EQ(load("destination: {type: debug, zipkin: {endpoint: none}}").problems(), "");
}

TEST(ExporterConfig, RefusesHeadersThatTheExporterSets) {
  EXPECT_NE(problem_of("destination: {type: zipkin, zipkin: {headers: {content-type: x}}}")
                .find("is set by the sender itself"),
            std::string::npos);
}

TEST(ExporterConfig, TakesHeaderNamesInAnyCase) {
  EXPECT_EQ(load(R"(
destination:
  type: otlp_http
  otlp_http: {headers: {Authorization: "Bearer x"}, tenant_header: X-Scope-OrgID}
)")
                .problems(),
            "");
  EXPECT_EQ(load("destination: {otlp_grpc: {headers: {Authorization: x}}}").problems(), "");
}

TEST(ExporterConfig, RefusesBasicAuthThatCannotBeSent) {
  const auto problem = [](const std::string& section) {
    return problem_of("destination: {type: zipkin, zipkin: {" + section + "}}");
  };
  EXPECT_EQ(
      load("destination: {type: zipkin, zipkin: {basic_auth: {username: a, password: 'b:c'}}}")
          .problems(),
      "");
  EXPECT_NE(problem("basic_auth: {password: b}").find("basic_auth.password: needs a username"),
            std::string::npos);
  EXPECT_NE(
      problem("basic_auth: {username: 'a:b'}").find("basic_auth.username: must not hold a colon"),
      std::string::npos);
  EXPECT_NE(problem("basic_auth: {username: a, password: \"b\\nc\"}")
                .find("basic_auth.password: has a value"),
            std::string::npos);
  EXPECT_NE(
      problem("basic_auth: {username: a}, headers: {Authorization: x}").find("are one header"),
      std::string::npos);
}

TEST(ExporterConfig, ReportsBadHeadersWithLineAndColumn) {
  for (const char* type : {"otlp_http", "zipkin", "otlp_grpc"}) {
    const std::string at = std::string("destination:\n  type: ") + type + "\n  " + type +
                           ":\n    headers:\n      good: x\n      ";
    const std::string path = std::string("destination.") + type + ".headers.";
    const std::string blank = problem_of(at + "a b: x\n");
    EXPECT_TRUE(blank.starts_with("e.yaml:6:7: " + path + "a b: is no header name")) << blank;
    const std::string lines = problem_of(at + "ab: \"x\\ny\"\n");
    EXPECT_TRUE(lines.starts_with("e.yaml:6:7: " + path + "ab: has a value")) << lines;
    const std::string twice = problem_of(at + "Good: y\n");
    EXPECT_NE(twice.find("is a duplicate"), std::string::npos) << twice;
  }
  EXPECT_NE(problem_of("destination: {type: zipkin, zipkin: {tenant_header: Content-Type}}")
                .find("destination.zipkin.tenant_header"),
            std::string::npos);
}

TEST(ExporterConfig, RefusesWhatGrpcCannotConnectTo) {
  for (const char* endpoint : {"http://jaeger:4317/v1/traces", "jaeger:99999", "jaeger:0", ":4317"})
    EXPECT_NE(problem_of(std::string("destination: {otlp_grpc: {endpoint: '") + endpoint + "'}}")
                  .find("destination.otlp_grpc.endpoint: must be host:port"),
              std::string::npos)
        << endpoint;
}

TEST(ExporterConfig, RefusesLimitsThatContradictEachOther) {
  EXPECT_NE(problem_of("memory_limit: 100MiB").find("memory_limit"), std::string::npos);
  EXPECT_NE(problem_of("otlp: {tls: {certificate_file: a}}").find("otlp.tls"), std::string::npos);
  EXPECT_NE(problem_of("destination: {type: file, file: {path: /tmp/}}").find("must name a file"),
            std::string::npos);
}

TEST(AcceptedSignals, AreTheDestinationsOrFewer) {
  ExporterConfig config;
  EXPECT_EQ(accepted_signals(config), (std::array{true, true, true}));
  config.signals = {"logs"};
  EXPECT_EQ(accepted_signals(config), (std::array{false, false, true}));
  config.signals.clear();
  config.destination.type = sinks::DestinationType::kZipkin;
  EXPECT_EQ(accepted_signals(config), (std::array{true, false, false}));
}

}  // namespace
}  // namespace spanway::exporter
