#include "services/lib/config/load.h"

#include <gtest/gtest.h>

#include "tests/unit/config/sample_config.h"

namespace spanway::config {
namespace {

TEST(Load, KeepsDefaultsOfWhatIsNotGiven) {
  SampleConfig config;
  const LoadReport report = load_sample(config, "");
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(config.kafka.brokers, (std::vector<std::string>{"localhost:9092"}));
  EXPECT_EQ(config.limits.timeout, Duration(std::chrono::seconds(30)));
}

TEST(Load, ReadsEveryTypeOfKey) {
  SampleConfig config;
  const LoadReport report = load_sample(config, R"(
kafka:
  brokers:
    - a:1
    - "b:2"
  topics: {traces: t.1}
  compression: none
listen: {host: "::1", port: 0}
limits:
  timeout: 1s
  body: 1024
  ratio: 1
  workers: 64
  strict: true
labels: {a: 1, b: "", c: yes}
destinations:
  - name: one
  - name: two
    url: http://two
)");
  EXPECT_EQ(format(report.problems, "f"), "");
  EXPECT_EQ(config.kafka.brokers, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(config.kafka.topics.traces, "t.1");
  EXPECT_EQ(config.kafka.topics.logs, "otel.logs");
  EXPECT_EQ(config.kafka.compression, Compression::kNone);
  EXPECT_EQ(config.listen.host, "::1");
  EXPECT_EQ(config.listen.port, 0);
  EXPECT_EQ(config.limits.body, 1_KiB);
  EXPECT_EQ(config.limits.ratio, 1.0);
  EXPECT_TRUE(config.limits.strict);
  EXPECT_EQ(config.labels,
            (std::map<std::string, std::string>{{"a", "1"}, {"b", ""}, {"c", "yes"}}));
  ASSERT_EQ(config.destinations.size(), 2U);
  EXPECT_EQ(config.destinations[1].url, "http://two");
}

TEST(Load, TakesAnEmptySectionForAMissingOne) {
  SampleConfig config;
  EXPECT_TRUE(load_sample(config, "kafka:\n# all commented out\nlisten: {}\n").problems.empty());
  EXPECT_EQ(config.kafka.compression, Compression::kZstd);
}

TEST(Load, SubstitutesInEveryTypeOfKey) {
  Sources sources;
  sources.environment = {{"BROKERS", "a:1,b:2"}, {"PORT", "7"},    {"STRICT", "true"},
                         {"TIMEOUT", "7s"},      {"BODY", "7KiB"}, {"CODEC", "gzip"},
                         {"LABELS", "a=1,b=2"}};
  sources.read_file = [](const std::string&) { return std::optional<std::string>("token\n"); };
  SampleConfig config;
  const LoadReport report = load_sample(config, R"(
kafka:
  brokers: ${env:BROKERS}
  password: ${file:/run/token}
  compression: "${env:CODEC}"
listen: {port: "${env:PORT}", host: "${env:HOST:-localhost}"}
limits:
  strict: ${env:STRICT}
  timeout: ${env:TIMEOUT}
  body: ${env:BODY}
labels: ${env:LABELS}
)",
                                        sources);
  EXPECT_EQ(format(report.problems, "f"), "");
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_EQ(config.kafka.brokers, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(config.kafka.password.reveal(), "token");
  EXPECT_EQ(config.kafka.password.file(), "${file:/run/token}");
  EXPECT_EQ(config.kafka.compression, Compression::kGzip);
  EXPECT_EQ(config.listen.port, 7);
  EXPECT_EQ(config.listen.host, "localhost");
  EXPECT_TRUE(config.limits.strict);
  EXPECT_EQ(config.limits.timeout, Duration(std::chrono::seconds(7)));
  EXPECT_EQ(config.limits.body, 7_KiB);
  EXPECT_EQ(config.labels, (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}}));
}

TEST(Load, ChecksWithoutResolvingWhenConfigured) {
  Sources sources;
  sources.resolve_nothing = true;
  SampleConfig config;
  LoadReport report = load_sample(config, R"(
kafka:
  brokers: "${env:A}"
  password: "${file:/x}"
  compression: "${env:B}"
  topics: {traces: "${env:T}"}
listen: {port: "${env:P}"}
labels: ${env:L}
destinations: [{name: "${env:N}"}]
)",
                                  sources);
  EXPECT_EQ(format(report.problems, "f"), "");
  EXPECT_EQ(config.listen.port, 4317);
  EXPECT_EQ(config.destinations.at(0).name, "${env:N}");
  SampleConfig bad;
  report = load_sample(bad, "listen: {port: '${env:not a name}'}\n", sources);
  EXPECT_EQ(report.problems.all().size(), 1U);
}

TEST(Load, WarnsOfSecretsWrittenOut) {
  SampleConfig config;
  const LoadReport report = load_sample(config, "kafka: {password: hunter2}\n");
  EXPECT_TRUE(report.problems.empty());
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_NE(report.warnings[0].find("kafka.password"), std::string::npos);
  EXPECT_EQ(report.warnings[0].find("hunter2"), std::string::npos);
}

TEST(Load, WarnsOfAFileThatIsNotReadAgain) {
  Sources sources;
  sources.environment = {{"PIN", "$9"}};
  sources.read_file = [](const std::string&) { return std::optional<std::string>("12,b=34"); };
  Secret pin, password;
  std::string region;
  std::map<std::string, std::string> headers, in_one;
  const LoadReport report = load(
      "pin: ${file:/run/pin}\npassword: a${file:/x}${env:PIN}$$\nregion: ${file:/r}\n"
      "headers: {a: 'x ${file:/a}', b: $$y}\nin_one: a=${file:/both}\n",
      "f.yaml", sources,
      [&](Binder& b) {
        b.key("pin", pin, {.doc = "Read once."});
        b.key("password", password, {.doc = "Read again.", .reread = true});
        b.key("region", region, {.doc = "Read once."});
        b.key("headers", headers, {.doc = "Read again.", .secret = true, .reread = true});
        b.key("in_one", in_one, {.doc = "Read once.", .secret = true, .reread = true});
      },
      [](Problems&) {});
  EXPECT_EQ(format(report.problems, "f"), "");
  const auto once = [](const std::string& key, const std::string& path) {
    return key + " is read from '" + path +
           "' once, at the start: restart the process after a change";
  };
  EXPECT_EQ(report.warnings,
            (std::vector<std::string>{once("pin", "/run/pin"), once("region", "/r"),
                                      once("in_one", "/both")}));
  EXPECT_EQ(password.reveal(), "a12,b=34$9$");
  EXPECT_EQ(password.file(), "a${file:/x}$$9$$");
  EXPECT_EQ(headers.at("a"), "x ${file:/a}");
  EXPECT_EQ(headers.at("b"), "$$y") << "secrets_of() takes it for one $";
  EXPECT_EQ(in_one.at("b"), "34") << "the file holds other values, too";
}

TEST(Load, ValidatesOnlyWhatIsRightByItself) {
  SampleConfig config;
  const LoadReport report = load_sample(config, "listen: {port: 9092}\nkafak: {}\n");
  ASSERT_EQ(report.problems.all().size(), 1U);
  EXPECT_EQ(report.problems.all()[0].path, "kafak");
}

TEST(Load, PlacesCrossFieldProblemsOfTheEnvironmentNowhere) {
  Sources sources;
  sources.environment = {{"GRPC_PORT", "9092"}};
  SampleConfig config;
  const LoadReport report = load_sample(config, "", sources);
  EXPECT_EQ(format(report.problems, "f"), "f: listen.port: is the broker's port\n");
}

TEST(Load, ListInTheFileReplacesTheDefaultOne) {
  SampleConfig config;
  config.destinations = {{"old", "http://old"}, {"older", "http://older"}};
  EXPECT_TRUE(load_sample(config, "destinations: [{name: new}]\n").problems.empty());
  ASSERT_EQ(config.destinations.size(), 1U);
  EXPECT_EQ(config.destinations[0].url, "http://localhost");
}

TEST(Load, ValuesThatAreWrongKeepTheirDefaults) {
  SampleConfig config;
  EXPECT_FALSE(
      load_sample(config, "limits: {workers: 0}\nkafka: {brokers: [a]}\n").problems.empty());
  EXPECT_EQ(config.limits.workers, 4);
  EXPECT_EQ(config.kafka.brokers, (std::vector<std::string>{"localhost:9092"}));
}

TEST(Load, ProblemsAreBounded) {
  std::string yaml;
  for (int i = 0; i < 50'000; ++i) yaml += "unknown" + std::to_string(i) + ": 1\n";
  SampleConfig config;
  const LoadReport report = load_sample(config, yaml);
  EXPECT_EQ(report.problems.all().size(), 1000U);
  EXPECT_NE(report.problems.all().back().message.find("the rest is not shown"), std::string::npos);
}

TEST(Load, RefusesTextTooLongForItsPattern) {
  SampleConfig config;
  const LoadReport report =
      load_sample(config, "kafka: {topics: {traces: " + std::string(500'000, 'a') + "}}\n");
  ASSERT_EQ(report.problems.all().size(), 1U);
  EXPECT_EQ(report.problems.all()[0].message, "is longer than 2048 bytes");
}

TEST(Load, ManyItemsOfALongListAreRefused) {
  std::string yaml = "destinations:\n";
  for (int i = 0; i < 1001; ++i) yaml += "- {name: a}\n";
  SampleConfig config;
  const LoadReport report = load_sample(config, yaml);
  ASSERT_EQ(report.problems.all().size(), 1U);
  EXPECT_EQ(report.problems.all()[0].message, "has more than 1000 items");
}

}  // namespace
}  // namespace spanway::config
