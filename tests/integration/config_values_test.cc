// Configurations that are right in their form and cannot work: --check-config names the key, its
// place and the remedy, and the start refuses them too.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/integration/config_attempt.h"

namespace spanway {
namespace {

// Mistakes of several keys together.
TEST(ConfigCheckOfFiles, RefusesWhatCannotBeReadAtItsKey) {
  const std::string files = "{certificate_file: /nonexistent/a, key_file: /nonexistent/b}";
  const struct {
    const char* variant;
    const char* path;
    std::string value;
    const char* problem;
  } cases[] = {
      {"ingress", "otlp.tls", files,
       "f.yaml:1:15: otlp.tls.certificate_file: the file '/nonexistent/a' cannot be opened; check"},
      {"ingress", "otlp.tls", "{certificate_file: /, key_file: /}",
       "f.yaml:1:15: otlp.tls.certificate_file: the file '/' cannot be read"},
      {"ingress", "otlp.tls", "{certificate_file: /dev/null, key_file: /dev/null}",
       "f.yaml:1:15: otlp.tls.certificate_file: the file '/dev/null' is empty; write PEM into it"},
      {"ingress", "otlp.tls", "{certificate_file: /proc/self/status, key_file: /proc/self/status}",
       "f.yaml:1:15: otlp.tls.certificate_file: the file '/proc/self/status' holds no usable PEM "
       "certificate (no start line); it must hold the certificate, then those of its chain"},
      {"query", "api.tls", files,
       "f.yaml:1:14: api.tls.certificate_file: the file '/nonexistent/a' cannot be opened"},
      {"ingress", "next.tls", "{enabled: true, ca_file: /nonexistent/a}",
       "f.yaml:1:30: next.tls.ca_file: the file '/nonexistent/a' cannot be opened; check"},
      {"ingress", "next.tls", "{enabled: true, ca_file: /proc/self/status}",
       "f.yaml:1:30: next.tls.ca_file: the file '/proc/self/status' holds no PEM certificate; it "
       "must hold PEM certificates of CAs"},
      {"ingress", "auth", "{mode: bearer, tokens: [{token_file: /nonexistent/t}]}",
       "f.yaml:1:33: auth.tokens[0].token_file: cannot read /nonexistent/t"},
      {"bridge_produce", "otlp.tls", files, "f.yaml:1:15: otlp.tls.certificate_file: the file"},
      {"bridge_consume", "destination.tls", "{enabled: true, ca_file: /nonexistent/a}",
       "f.yaml:1:37: destination.tls.ca_file: the file '/nonexistent/a' cannot be opened"},
      {"bridge_consume", "destination.tls",
       "{enabled: true, certificate_file: /proc/self/status, key_file: /proc/self/status}",
       "f.yaml:1:37: destination.tls.certificate_file: the file '/proc/self/status' holds no "
       "usable"},
      {"bridge_produce", "kafka.tls", "{enabled: true, ca_file: /nonexistent/a}",
       "f.yaml:1:31: kafka.tls.ca_file: the file '/nonexistent/a' cannot be opened; check the "
       "path"},
      {"bridge_produce", "kafka.tls", "{enabled: true, ca_file: /}",
       "f.yaml:1:31: kafka.tls.ca_file: the file '/' cannot be read"},
      {"bridge_consume", "kafka.tls", "{enabled: true, ca_file: /proc/self/status}",
       "f.yaml:1:31: kafka.tls.ca_file: the file /proc/self/status cannot be used"},
      {"bridge_produce", "kafka.tls",
       "{enabled: true, certificate_file: /nonexistent/a, key_file: /nonexistent/b}",
       "f.yaml:1:31: kafka.tls.certificate_file: the file '/nonexistent/a' cannot be opened"},
      {"bridge_consume", "kafka.sasl",
       "{mechanism: plain, username: u, password_file: /nonexistent/p}",
       "f.yaml:1:48: kafka.sasl.password_file: the file /nonexistent/p cannot be read"},
      {"bridge_produce", "kafka.librdkafka", "{socket.timeout.ms: soon}",
       "f.yaml:1:23: kafka.librdkafka.socket.timeout.ms: librdkafka rejects"},
      {"otlp_grpc", "destination.otlp_grpc.tls", "{enabled: true, ca_file: /nonexistent/a}",
       "f.yaml:1:49: destination.otlp_grpc.tls.ca_file: the file '/nonexistent/a' cannot be "
       "opened"},
      {"otlp_grpc", "destination.otlp_grpc.tls", "{enabled: true, ca_file: /proc/self/status}",
       "f.yaml:1:49: destination.otlp_grpc.tls.ca_file: the file '/proc/self/status' holds no PEM"},
      {"otlp_http", "destination.otlp_http",
       "{endpoint: 'https://h', tls: {ca_file: /nonexistent/a}}",
       "f.yaml:1:57: destination.otlp_http.tls.ca_file: the file '/nonexistent/a' cannot be "
       "opened"},
      {"zipkin", "destination.zipkin", "{endpoint: 'https://h', tls: {ca_file: /proc/self/status}}",
       "f.yaml:1:54: destination.zipkin.tls.ca_file: the file '/proc/self/status' holds no PEM"},
      {"loki", "destination.loki", "{endpoint: 'https://h', tls: {ca_file: /proc/self/status}}",
       "f.yaml:1:52: destination.loki.tls.ca_file: the file '/proc/self/status' holds no PEM"},
      {"query", "stores.clickhouse", "{endpoint: 'https://h', tls: {ca_file: /proc/self/status}}",
       "f.yaml:1:53: stores.clickhouse.tls.ca_file: the file '/proc/self/status' holds no PEM"},
      {"otlp_http", "otlp.tls", files, "f.yaml:1:15: otlp.tls.certificate_file: the file"},
      {"ingress", "admin", "{host: 203.0.113.7}", "f.yaml:1:10: admin.host"},
      {"ingress", "otlp", "{host: 203.0.113.7}", "f.yaml:1:2: otlp"},
  };
  for (const auto& c : cases) {
    bool tried = false;
    for (const Variant& variant : variants()) {
      if (std::string_view(variant.name) != c.variant) continue;
      tried = true;
      Attempt attempt(variant, c.path, c.value);
      const std::string problems = attempt.check();
      EXPECT_TRUE(problems.starts_with(c.problem)) << attempt.yaml() << "\n" << problems;
      EXPECT_NE(attempt.start(), "") << attempt.yaml();
    }
    EXPECT_TRUE(tried) << c.variant;
  }
}

// Each key is right in its form and cannot work. `problem` is the begin of the line; `never` must
// not be in it.
TEST(ConfigCheckOfValues, RefusesWhatCannotWorkAtItsKey) {
  const struct {
    const char* variant;
    const char* path;
    std::string value;
    const char* problem;
    const char* never = "secret";
  } cases[] = {
      {"bridge_consume", "consumer.dead_letters.fallback", "{file: /nonexistent/dead.jsonl}",
       "f.yaml:1:39: consumer.dead_letters.fallback.file: Cannot append to "
       "/nonexistent/dead.jsonl: No such file or directory; create its folder"},
      {"bridge_consume", "consumer.dead_letters.fallback", "{file: /}",
       "f.yaml:1:39: consumer.dead_letters.fallback.file: Cannot append to /: Is a directory"},
      {"bridge_consume", "consumer.dead_letters.fallback", "{file: /proc/self/status/dead.jsonl}",
       "f.yaml:1:39: consumer.dead_letters.fallback.file: Cannot append to"},
      {"file", "destination.file", "{path: '/nonexistent/{signal}.jsonl'}",
       "f.yaml:1:23: destination.file.path: Cannot append to /nonexistent/traces.jsonl"},
      {"file", "destination.file", "{path: '/tmp/{sig}.jsonl'}",
       "f.yaml:1:23: destination.file.path: has a '{' that does not begin {signal}"},
      {"otlp_http", "destination.otlp_http", "{endpoint: 'http://h/otlp/v1/traces/'}",
       "f.yaml:1:28: destination.otlp_http.endpoint: ends with /v1/traces, which is appended"},
      {"otlp_grpc", "destination.otlp_grpc", "{endpoint: 'http://h:4317', tls: {enabled: true}}",
       "f.yaml:1:28: destination.otlp_grpc.endpoint: begins with http://, yet tls.enabled is true"},
      {"file", "destination.file", "{path: /}", "f.yaml:1:23: destination.file.path: must name"},
      {"file", "destination.file", "{path: /proc}",
       "f.yaml:1:23: destination.file.path: Cannot append to /proc: Is a directory"},
      {"otlp_http", "destination.otlp_http", "{headers: {X-Team: a}, tenant_header: x-team}",
       "f.yaml:1:50: destination.otlp_http.tenant_header: is in headers, too"},
      {"zipkin", "destination.zipkin", "{headers: {X-Team: a}, tenant_header: x-team}",
       "f.yaml:1:47: destination.zipkin.tenant_header: is in headers, too"},
      {"otlp_http", "destination.otlp_http", "{tenant_header: Keep-Alive}",
       "f.yaml:1:28: destination.otlp_http.tenant_header: is set by the sender itself"},
      {"otlp_grpc", "destination.otlp_grpc", "{send_metadata: true, headers: {Spanway-Tenant: a}}",
       "f.yaml:1:59: destination.otlp_grpc.headers.Spanway-Tenant: is sent already"},
      {"bridge_consume", "destination", "{headers: [{name: traceparent, value: a}]}",
       "f.yaml:1:27: destination.headers[0].name: is sent by the bridge itself"},
      {"ingress", "tenant", "{from: header, header: Content-Type}",
       "f.yaml:1:25: tenant.header: has a meaning of its own in HTTP or gRPC"},
      {"ingress", "tenant", "{from: header, header: authorization}",
       "f.yaml:1:25: tenant.header: has a meaning"},
      {"ingress", "tenant", "{from: header, header: grpc-timeout}",
       "f.yaml:1:25: tenant.header: has a meaning"},
      {"bridge_produce", "producer", "{queue_bytes_max: 1MiB, record_bytes_max: 2MiB}",
       "f.yaml:1:36: producer.record_bytes_max: must not be above producer.queue_bytes_max"},
      {"otlp_http", "destination.otlp_http", "{endpoint: 'http://h/otlp?key=secret'}",
       "f.yaml:1:28: destination.otlp_http.endpoint: must not hold a query"},
      {"otlp_http", "destination.otlp_http", "{endpoint: 'http://h/otlp#secret'}",
       "f.yaml:1:28: destination.otlp_http.endpoint: must hold neither '#'"},
      {"bridge_produce", "kafka.brokers", "['a:9092;b:9092']",
       "f.yaml:1:10: kafka.brokers: 'a:9092;b:9092' must be one host:port: write several"},
      {"bridge_produce", "kafka.brokers", "['a:9092 b:9092']",
       "f.yaml:1:10: kafka.brokers: 'a:9092 b:9092' must be one host:port"},
      {"bridge_produce", "kafka.brokers", "[' ']", "f.yaml:1:10: kafka.brokers: ' ' must be one"},
      {"bridge_produce", "kafka.brokers", "['']", "f.yaml:1:10: kafka.brokers: '' must be host"},
      {"bridge_consume", "kafka.brokers", "['PLAINTEXT://a:9092']",
       "f.yaml:1:10: kafka.brokers: 'PLAINTEXT://a:9092' must be host:port without a scheme"},
      {"bridge_consume", "kafka.brokers", "['me:secret@a:9092']",
       "f.yaml:1:10: kafka.brokers: must be host:port without a user or password"},
      {"bridge_consume", "kafka.brokers", "['::1:9092']",
       "f.yaml:1:10: kafka.brokers: '::1:9092' must be host:port; it needs brackets"},
      {"ingress", "otlp.http.cors.allowed_origins", "['https://a.example/shop']",
       "f.yaml:1:23: otlp.http.cors.allowed_origins: 'https://a.example/shop' has a path"},
      {"ingress", "otlp.http.cors.allowed_origins", "['https://a.example/']",
       "f.yaml:1:23: otlp.http.cors.allowed_origins: 'https://a.example/' has a path"},
      {"ingress", "otlp.http.cors.allowed_origins", "[a.example]",
       "f.yaml:1:23: otlp.http.cors.allowed_origins: 'a.example' has no scheme"},
      {"ingress", "auth", "{mode: bearer, tokens: [{token: \"se\\ncret\"}]}",
       "f.yaml:1:33: auth.tokens[0].token: holds a line break", "cret"},
      {"ingress", "auth", "{mode: bearer, tokens: [{token: ' secret'}]}",
       "f.yaml:1:33: auth.tokens[0].token: begins or ends with a space"},
      {"ingress", "auth", "{mode: bearer, tokens: [{token_file: two_lines}]}",
       "f.yaml:1:33: auth.tokens[0].token_file: holds a line break"},
      {"ingress", "otlp", "{host: '0.0.0.0:4317'}",
       "f.yaml:1:9: otlp.host: must be an address without a port"},
      {"bridge_produce", "otlp", "{host: '[::1]'}",
       "f.yaml:1:9: otlp.host: must be an address without brackets"},
      {"otlp_grpc", "otlp", "{host: '[::1]:4317'}",
       "f.yaml:1:9: otlp.host: must be an address without brackets"},
      {"ingress", "otlp", "{host: 'http://0.0.0.0'}",
       "f.yaml:1:9: otlp.host: must be an address or a host name"},
      {"ingress", "admin", "{host: '127.0.0.1:8080'}",
       "f.yaml:1:10: admin.host: must be an address without a port"},
  };
  std::ofstream("two_lines") << "a secret\nof two lines\n";
  for (const auto& c : cases) {
    int tried = 0;
    for (const Variant& variant : variants()) {
      if (std::string_view(variant.name) != c.variant) continue;
      ++tried;
      Attempt attempt(variant, c.path, c.value);
      const std::string problems = attempt.check();
      EXPECT_TRUE(problems.starts_with(c.problem)) << attempt.yaml() << "\n" << problems;
      EXPECT_EQ(problems.find(c.never), std::string::npos) << problems;
      EXPECT_NE(attempt.start(), "") << attempt.yaml();
    }
    EXPECT_EQ(tried, 1) << c.variant;
  }
}

// Values like the ones above that do work.
TEST(ConfigCheckOfValues, TakesWhatWorks) {
  const struct {
    const char* variant;
    const char* path;
    const char* value;
  } cases[] = {
      {"bridge_consume", "consumer.dead_letters.fallback", "{file: dead.jsonl}"},
      {"bridge_consume", "consumer.dead_letters.fallback", "{file: ./dead.jsonl}"},
      {"file", "destination.file", "{path: /dev/null}"},
      {"otlp_http", "destination.otlp_http", "{traces_endpoint: 'http://h/v1/traces?key=a'}"},
      {"otlp_http", "destination.otlp_http", "{headers: {X-Team: a}, tenant_header: x-tenant}"},
      {"bridge_produce", "kafka.brokers", "['[::1]:9092', 'kafka-0.kafka:9092']"},
      {"ingress", "otlp.http.cors.allowed_origins",
       "['*', 'https://*.a.example', 'http://localhost:*', 'null', 'capacitor://localhost']"},
      {"ingress", "auth", "{mode: bearer, tokens: [{token: 'two words'}, {token_file: one_line}]}"},
      {"ingress", "otlp", "{host: '::1'}"},
      {"ingress", "otlp", "{host: localhost}"},
  };
  std::ofstream("one_line") << " a token\n";
  for (const auto& c : cases) {
    for (const Variant& variant : variants()) {
      if (std::string_view(variant.name) != c.variant) continue;
      Attempt attempt(variant, c.path, c.value);
      EXPECT_EQ(attempt.check(), "") << attempt.yaml();
      EXPECT_EQ(attempt.start(), "") << attempt.yaml();
    }
  }
}

TEST(ConfigCheckOfPorts, RefusesTwoListenersOnOnePort) {
  Variant variant = variants()[0];
  variant.base["admin.port"] = "4317";
  Attempt attempt(variant, "otlp.grpc.port", "4317");
  EXPECT_NE(attempt.check().find("port 4317 is configured for two listeners"), std::string::npos);
}

}  // namespace
}  // namespace spanway
