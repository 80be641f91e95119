// Texts are what older services write; the round trips go through the writer of today's.
#include "operator/decide/statusz_report.h"

#include <gtest/gtest.h>

#include "services/lib/runtime/statusz.h"

namespace spanway::decide {
namespace {

TEST(Statusz, ReadsAConsumingBridge) {
  const StatuszReport report = parse_statusz(
      R"({"mode":"consume","ready":true,"reason":"","kafka":{"reachable":true},)"
      R"("topics":[{"name":"otel.traces","partitions":12,"error":""},)"
      R"({"name":"otel.logs","partitions":0,"error":"unknown topic"}],)"
      R"("group":"spanway-ns-p-a","destination":{"name":"a","endpoint":"p-a:4317",)"
      R"("reachable":false,"last_error":"connection refused","last_error_reason":"connect"},)"
      R"("partitions":[{"topic":"otel.traces","partition":3,"lag_messages":17,)"
      R"("lag_seconds":4.250,"in_flight":2,"stalled":true,"reason":"token expired"},)"
      R"({"topic":"otel.traces","partition":4,"lag_messages":null,"lag_seconds":0.000,)"
      R"("in_flight":0,"stalled":false,"reason":""}],)"
      R"("memory":{"used":1,"limit":2,"peak":3},"last_error":"broker down"})"
      "\n");
  EXPECT_TRUE(report.answered);
  EXPECT_EQ(report.ready, true);
  EXPECT_TRUE(report.kafka_reachable);
  EXPECT_EQ(report.last_error, "broker down");
  ASSERT_EQ(report.topics.size(), 2u);
  EXPECT_EQ(report.topics[0].partitions, 12);
  EXPECT_EQ(report.topics[1].error, "unknown topic");
  ASSERT_EQ(report.partitions.size(), 2u);
  EXPECT_EQ(report.partitions[0].partition, 3);
  EXPECT_EQ(report.partitions[0].lag_messages, 17);
  EXPECT_DOUBLE_EQ(report.partitions[0].lag_seconds, 4.25);
  EXPECT_TRUE(report.partitions[0].stalled);
  EXPECT_EQ(report.partitions[0].reason, "token expired");
  EXPECT_EQ(report.partitions[1].lag_messages, 0);
  EXPECT_TRUE(report.has_destination);
  EXPECT_FALSE(report.destination_reachable);
  EXPECT_EQ(report.destination_error, "connection refused");
  EXPECT_EQ(report.destination_error_reason, "connect");
  EXPECT_EQ(report.destination_endpoint, "p-a:4317");
}

TEST(Statusz, ReadsWhatBridgesReportOfProducingAndTheirGroup) {
  const StatuszReport report = parse_statusz(
      R"({"mode":"both","produce":{"ok":false,"last_error":"no","last_error_reason":"acl"},)"
      R"("topic_settings":[{"name":"otel.traces","partitions":12,"replication_factor":3,)"
      R"("min_insync_replicas":2,"retention_ms":86400000,"retention_bytes":-1,)"
      R"("unclean_leader_election":false,"cleanup_policy":"delete"}],)"
      R"("assignment":{"ok":false,"reason":"foreign assignor"},"lost_records":7,)"
      R"("stalls":[{"signal":"logs","tenant":"t","scope":"signal","reason":"501","seconds":3}],)"
      R"("weaknesses":["min.insync.replicas is 1",5]})");
  ASSERT_EQ(report.topic_settings.size(), 1u);
  EXPECT_EQ(report.topic_settings[0].name, "otel.traces");
  EXPECT_EQ(report.topic_settings[0].partitions, 12);
  EXPECT_EQ(report.topic_settings[0].replication_factor, 3);
  EXPECT_EQ(report.topic_settings[0].min_insync_replicas, 2);
  EXPECT_EQ(report.topic_settings[0].retention_ms, 86'400'000);
  EXPECT_EQ(report.topic_settings[0].retention_bytes, -1);
  EXPECT_EQ(report.topic_settings[0].unclean_leader_election, false);
  EXPECT_EQ(report.topic_settings[0].cleanup_policy, "delete");
  ASSERT_TRUE(report.produce && report.assignment);
  EXPECT_FALSE(report.produce->ok);
  EXPECT_EQ(report.produce->error, "no");
  EXPECT_EQ(report.produce->reason, "acl");
  EXPECT_EQ(report.assignment->error, "foreign assignor");
  EXPECT_EQ(report.lost_records, 7);
  ASSERT_EQ(report.stalls.size(), 1u);
  EXPECT_EQ(report.stalls[0].scope, "signal");
  EXPECT_EQ(report.weaknesses, std::vector<std::string>{"min.insync.replicas is 1"});
}

TEST(Statusz, WhatAnOlderServiceDoesNotReportIsUnknown) {
  for (const char* text : {"{}", R"({"produce":5,"assignment":{},"stalls":{},"next":{"ok":1}})"}) {
    const StatuszReport report = parse_statusz(text);
    EXPECT_FALSE(report.produce || report.assignment || report.next) << text;
    EXPECT_TRUE(report.stalls.empty() && report.weaknesses.empty()) << text;
    EXPECT_FALSE(report.destination_known);
    EXPECT_EQ(report.ready, std::nullopt);
  }
}

TEST(Statusz, ReadsTheNextHopOfAnIngressOnceItHasSent) {
  const auto next = [](const char* fields) {
    return parse_statusz(std::string(R"({"next":{"endpoint":"b:1",)") + fields + "}}").next;
  };
  EXPECT_FALSE(next(R"("reachable":false,"last_error":"","last_error_reason":"")"));
  ASSERT_TRUE(next(R"("reachable":false,"last_error":"refused","last_error_reason":"connect")"));
  EXPECT_FALSE(next(R"("reachable":false,"last_error":"refused")")->ok);
  EXPECT_TRUE(next(R"("reachable":true,"last_error":"")")->ok);
}

TEST(Statusz, ReadsAnExporterThatHasNotSentYet) {
  const StatuszReport report = parse_statusz(
      R"({"destination":{"type":"otlp_grpc","endpoint":"tempo:4317","reachable":null,)"
      R"("last_error":"","last_error_reason":""},"listener":{"port":4317},)"
      R"("memory":{"used_bytes":1,"peak_bytes":1,"limit_bytes":1}})");
  EXPECT_TRUE(report.answered);
  EXPECT_TRUE(report.has_destination);
  EXPECT_TRUE(report.destination_reachable);
  EXPECT_FALSE(report.kafka_reachable);
}

TEST(Statusz, ReadsAnIngress) {
  const StatuszReport report = parse_statusz(
      R"({"ready":false,"reason":"the next hop has not answered yet: ","listeners":{"grpc_port":1,)"
      R"("http_port":2,"tls":false},"next":{"endpoint":"p-bridge:4317","answered":false,)"
      R"("reachable":false,"last_error":"","last_error_reason":""},"merge_waiting":0})");
  EXPECT_TRUE(report.answered);
  EXPECT_EQ(report.ready, false);
  EXPECT_EQ(report.reason, "the next hop has not answered yet: ");
  EXPECT_FALSE(report.has_destination);
}

TEST(Statusz, ReadsWhyANewCertificateIsNotInUse) {
  const StatuszReport report =
      parse_statusz(R"({"ready":true,"certificate_reload_error":"tls.crt: no certificate in it"})");
  EXPECT_EQ(report.certificate_error, "tls.crt: no certificate in it");
  EXPECT_EQ(parse_statusz(R"({"ready":true})").certificate_error, "");
}

TEST(Statusz, ReadsCredentialErrorsWithinBounds) {
  runtime::Statusz written;
  written.credential_errors.emplace(40, std::string(5000, 'x'));
  const StatuszReport report = parse_statusz(runtime::to_json(written));
  ASSERT_EQ(report.credential_errors.size(), 16u);
  EXPECT_LE(report.credential_errors[0].size(), 1024u);
  EXPECT_TRUE(parse_statusz(R"({"credential_errors":{"a":1}})").credential_errors.empty());
  EXPECT_TRUE(parse_statusz(R"({"credential_errors":[1,null]})").credential_errors.empty());
}

runtime::Statusz::Destination destination(std::optional<bool> reachable) {
  return {.name = "a",
          .type = "zipkin",
          .endpoint = "p-a:4317",
          .answered = std::nullopt,
          .reachable = reachable,
          .last_error = reachable ? "refused" : "",
          .last_error_reason = reachable ? "connect" : "",
          .degraded = reachable == false};
}

TEST(Statusz, ReadsEveryMemberThatTheServicesWrite) {
  runtime::Statusz written;
  written.ready = true;
  written.reason = "a \"quoted\" reason\n";
  written.mode = "both";
  written.kafka = {.reachable = true};
  written.topics = {{.name = "otel.traces", .partitions = 12, .error = ""}};
  written.topic_settings = {{.name = "otel.traces",
                             .partitions = 12,
                             .replication_factor = 3,
                             .min_insync_replicas = 2,
                             .retention_ms = 86'400'000,
                             .retention_bytes = -1,
                             .unclean_leader_election = false,
                             .cleanup_policy = "delete"}};
  written.produce = {.ok = false, .last_error = "no", .last_error_reason = "acl"};
  written.weaknesses = {"min.insync.replicas is 1"};
  written.destination = destination(false);
  written.next = destination(true);
  written.partitions = {{.topic = "otel.traces",
                         .partition = 3,
                         .lag_messages = 17,
                         .lag_seconds = 4.25,
                         .in_flight = 2,
                         .stalled = true,
                         .reason = "token expired",
                         .committed_offset = 7,
                         .batches = {{.first_offset = 7,
                                      .last_offset = 9,
                                      .tenant = "t",
                                      .attempts = 2,
                                      .waits_for = "probe",
                                      .age = std::chrono::seconds(1)}},
                         .tenants = {runtime::Statusz::Tenant{"t", 1, 0, true, false, true,
                                                              std::chrono::seconds(2)}}}};
  written.assignment = {.ok = false, .reason = "foreign assignor"};
  written.lost_records = 7;
  written.stalls = {{.signal = "logs",
                     .tenant = "t",
                     .scope = "signal",
                     .reason = "501",
                     .age = std::chrono::seconds(3)}};
  written.polls = {.count = 5, .last = SystemTime{}};
  written.certificate_reload_error = "expired";
  written.credential_errors = {"auth.tokens[0].token: is empty", "tls: no certificate"};
  written.last_error = "broker down";
  written.errors = {{.time = SystemTime{}, .level = "warn", .message = "x"}};

  const StatuszReport report = parse_statusz(runtime::to_json(written));
  EXPECT_TRUE(report.answered) << report.error;
  EXPECT_EQ(report.ready, true);
  EXPECT_EQ(report.reason, written.reason);
  EXPECT_TRUE(report.kafka_reachable);
  ASSERT_EQ(report.topics.size(), 1u);
  EXPECT_EQ(report.topics[0].partitions, 12);
  ASSERT_TRUE(report.produce && report.assignment && report.next);
  EXPECT_EQ(report.produce->error, "no");
  EXPECT_EQ(report.produce->reason, "acl");
  EXPECT_EQ(report.assignment->error, "foreign assignor");
  EXPECT_TRUE(report.next->ok);
  EXPECT_EQ(report.weaknesses, *written.weaknesses);
  EXPECT_TRUE(report.has_destination && report.destination_known);
  EXPECT_FALSE(report.destination_reachable);
  EXPECT_TRUE(report.destination_degraded);
  EXPECT_EQ(report.destination_endpoint, "p-a:4317");
  EXPECT_EQ(report.destination_error_reason, "connect");
  ASSERT_EQ(report.partitions.size(), 1u);
  EXPECT_EQ(report.partitions[0].partition, 3);
  EXPECT_EQ(report.partitions[0].lag_messages, 17);
  EXPECT_DOUBLE_EQ(report.partitions[0].lag_seconds, 4.25);
  EXPECT_TRUE(report.partitions[0].stalled);
  EXPECT_EQ(report.lost_records, 7);
  ASSERT_EQ(report.stalls.size(), 1u);
  EXPECT_EQ(report.stalls[0].scope, "signal");
  EXPECT_EQ(report.certificate_error, "expired");
  EXPECT_EQ(report.credential_errors, *written.credential_errors);
  EXPECT_EQ(report.last_error, "broker down");
}

TEST(Statusz, ReadsThatNothingHasBeenSentYet) {
  runtime::Statusz written;
  written.destination = destination(std::nullopt);
  const StatuszReport report = parse_statusz(runtime::to_json(written));
  EXPECT_EQ(report.ready, false);
  EXPECT_TRUE(report.has_destination && report.destination_reachable);
  EXPECT_FALSE(report.destination_known);
}

TEST(Statusz, SurvivesWhatAPodMaySay) {
  for (const char* body :
       {"", "null", "[]", "\"x\"", "{", "<html>", "{\"ready\":true", "\xff\xfe"}) {
    const StatuszReport report = parse_statusz(body);
    EXPECT_FALSE(report.answered) << body;
    EXPECT_FALSE(report.error.empty()) << body;
  }
  const StatuszReport report = parse_statusz(
      R"({"ready":1,"reason":[],"kafka":true,"topics":{"a":1},"partitions":[1,null,{"topic":1,)"
      R"("partition":"x","lag_seconds":"y","stalled":0},{"lag_seconds":-3}],"destination":[]})");
  EXPECT_TRUE(report.answered);
  EXPECT_EQ(report.ready, std::nullopt);
  EXPECT_EQ(report.partitions.size(), 4u);
  for (const PartitionReport& partition : report.partitions) {
    EXPECT_EQ(partition.lag_seconds, 0);
  }
}

TEST(Statusz, HoldsNoMoreThanItsBounds) {
  std::string body = R"({"last_error":")" + std::string(100'000, 'x') + R"(","partitions":[)";
  for (int i = 0; i < 20'000; ++i) body += i == 0 ? "{}" : ",{}";
  const StatuszReport report = parse_statusz(body + "]}");
  EXPECT_EQ(report.partitions.size(), 10'000u);
  EXPECT_EQ(report.last_error.size(), 1024u);
  EXPECT_FALSE(parse_statusz("{\"a\":\"" + std::string(2u << 20, 'x') + "\"}").answered);
}

}  // namespace
}  // namespace spanway::decide
