#include "services/ingress/config.h"

#include <algorithm>
#include <set>
#include <string>

#include "services/lib/config/endpoint.h"
#include "services/lib/config/memory_limit.h"

namespace spanway::ingress {
namespace {

using config::Binder;
using config::Problems;

constexpr double kMebi = 1024.0 * 1024.0;
constexpr double kSecond = 1000.0;

}  // namespace

static void describe(Binder& b, GrpcListenerConfig& c) {
  b.key("enabled", c.enabled, {.doc = "Serve OTLP/gRPC."});
  b.key("port", c.port,
        {.doc = "Port of OTLP/gRPC; 0 takes a free one.",
         .alias = "GRPC_PORT,OTLP_GRPC_PORT,SERVER_PORT"});
}

static void describe(Binder& b, HttpListenerConfig& c) {
  b.key("enabled", c.enabled, {.doc = "Serve OTLP/HTTP."});
  b.key("port", c.port, {.doc = "Port of OTLP/HTTP; 0 takes a free one."});
  b.section("cors", c.cors, "Sending from web pages.");
}

static void describe(Binder& b, OtlpConfig& c) {
  describe_listener(b, c, "SERVER_HOST");
  b.section("grpc", c.grpc, "The OTLP/gRPC listener.");
  b.section("http", c.http, "The OTLP/HTTP listener.");
}

static void describe(Binder& b, MergeConfig& c) {
  b.key("enabled", c.enabled,
        {.doc = "Join small requests of one tenant and signal before they are forwarded."});
  b.key("bytes_max", c.bytes_max,
        {.doc = "A joined request is sent on when it holds this much.",
         .min = 1024,
         .max = 64 * kMebi});
  b.key("small_request_bytes", c.small_request_bytes,
        {.doc = "Requests of this size or larger are never joined.", .min = 0, .max = 64 * kMebi});
  b.key("items_max", c.items_max, {.doc = "The same in items.", .min = 1});
  b.key("requests_max", c.requests_max, {.doc = "The same in requests.", .min = 1, .max = 100'000});
  b.key("buckets_max", c.buckets_max,
        {.doc = "Joined requests being collected at once per io thread; when all are in use, "
                "further tenants' requests are forwarded as they are.",
         .min = 1,
         .max = 100'000});
  b.key("linger", c.linger,
        {.doc = "How long a request waits for others; 0 forwards each as it is.",
         .min = 0,
         .max = 1 * kSecond});
}

static void describe(Binder& b, LimitsConfig& c) {
  b.key("body_bytes_max", c.body_bytes_max,
        {.doc = "A request, uncompressed.", .min = 64 * 1024, .max = 1024 * kMebi});
  b.key("compressed_bytes_max", c.compressed_bytes_max,
        {.doc = "A compressed request on the wire.", .min = 16 * 1024, .max = 1024 * kMebi});
  b.key("item_bytes_max", c.item_bytes_max,
        {.doc = "One span, metric or log record; a larger one is rejected alone. It has to fit "
                "into one Kafka record.",
         .min = 1024,
         .max = 64 * kMebi});
  b.key("prefix_bytes_max", c.prefix_bytes_max,
        {.doc = "Resource and scope of an item, which every part of a split request repeats; items "
                "under larger ones are rejected.",
         .min = 1024,
         .max = 16 * kMebi});
  b.key("value_depth_max", c.value_depth_max,
        {.doc = "Nesting of attribute values. Readers of protobuf take 100 messages in one "
                "another, so arrays end at 47 and key-value lists at 31 even where this is more.",
         .min = 1,
         .max = 100});
  b.key(
      "json_depth_max", c.json_depth_max,
      {.doc = "Nesting of JSON requests; items with more are rejected. A level of attribute values "
              "takes up to four.",
       .min = 16,
       .max = 512});
  b.key("submessages_max", c.submessages_max,
        {.doc = "Messages inside one request (resources, spans, attributes, values, ...).",
         .min = 1000,
         .max = 100'000'000});
  b.key("request_timeout", c.request_timeout,
        {.doc = "For the body of a request, and the longest a client is kept waiting for its "
                "answer.",
         .min = 1 * kSecond,
         .max = 300 * kSecond});
  describe_connection_limits(b, c);
}

static void describe(Binder& b, NextConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "host:port that speaks OTLP/gRPC: a Spanway kafka-bridge in mode produce, or any "
                "OTLP receiver. All addresses of the name are used in turn.",
         .example = "spanway-bridge:4327"});
  describe_client(b, c);
  b.key("deadline_margin", c.deadline_margin,
        {.doc = "Taken off a request's deadline before it is passed on, so that the answer from "
                "behind still arrives in time.",
         .min = 0,
         .max = 10 * kSecond});
  b.key("in_flight_max", c.in_flight_max,
        {.doc = "Requests at once to the next hop; more are refused as overload.",
         .min = 1,
         .max = 100'000});
}

void describe(Binder& b, IngressSections& sections) {
  IngressConfig& c = sections.config;
  b.section("otlp", c.otlp, "The OTLP listeners, gRPC and HTTP.");
  b.section("auth", c.auth, "Authentication of clients.");
  b.section("tenant", c.tenant, "Tenant of each request.");
  b.section("rate_limit", c.rate_limit, "How much each tenant may send.");
  b.section("merge", c.merge, "Joining small requests.");
  b.section("limits", c.limits, "Bounds against hostile and broken clients.");
  b.section("next", c.next, "Where requests are forwarded to.");
}

void describe(Binder& b, IngressConfig& c) {
  IngressSections sections{c};
  describe(b, sections);
  config::describe_memory_limit(b, c.memory_limit);
}

std::uint64_t budget_bytes(const IngressConfig& c) noexcept {
  return c.budget_share > 0 ? c.budget_share : config::request_budget(c.memory_limit, 0);
}

namespace {

void validate_limits(const IngressConfig& c, Problems& problems) {
  const LimitsConfig& limits = c.limits;
  if (limits.compressed_bytes_max > limits.body_bytes_max)
    problems.add("limits.compressed_bytes_max", "must not be above limits.body_bytes_max");
  if (limits.item_bytes_max > limits.body_bytes_max)
    problems.add("limits.item_bytes_max", "must not be above limits.body_bytes_max");
  // A JSON request needs room for the text and for what it becomes.
  if (const std::uint64_t needed = 2 * limits.body_bytes_max.bytes; needed > budget_bytes(c))
    problems.add("limits.body_bytes_max",
                 "is too large: the largest request could never be admitted. It counts twice, "
                 "and memory_limit leaves " +
                     config::mebibytes(budget_bytes(c)) +
                     " for requests. Lower it or raise memory_limit");
  validate(limits, "limits", problems);
}

void validate_merge(const IngressConfig& c, Problems& problems) {
  if (c.merge.small_request_bytes > c.merge.bytes_max)
    problems.add("merge.small_request_bytes", "must not be above merge.bytes_max");
  if (c.merge.bytes_max > c.limits.body_bytes_max)
    problems.add("merge.bytes_max", "must not be above limits.body_bytes_max");
}

bool is_this_host(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "::1" || host == "0.0.0.0" ||
         host == "::";
}

}  // namespace

void validate(const IngressConfig& c, Problems& problems) {
  if (!c.otlp.grpc.enabled && !c.otlp.http.enabled)
    problems.add("otlp", "both listeners are off: set otlp.grpc.enabled or otlp.http.enabled");
  if (c.otlp.grpc.enabled && c.otlp.http.enabled && c.otlp.grpc.port != 0 &&
      c.otlp.grpc.port == c.otlp.http.port)
    problems.add("otlp.http.port", "is the same as otlp.grpc.port");
  validate(c.otlp.http.cors, "otlp.http.cors", problems);
  config::HostPort next;
  if (std::string problem = config::parse_host_port(c.next.endpoint, next); !problem.empty())
    problems.add("next.endpoint", std::move(problem));
  else if (c.otlp.grpc.enabled && next.port == c.otlp.grpc.port && is_this_host(next.host))
    problems.add("next.endpoint",
                 "is otlp.grpc of this ingress itself, where every request would go round");
  validate(static_cast<const OtlpListenerConfig&>(c.otlp), "otlp", problems);
  validate(c.next.tls, "next.tls", problems);
  validate(c.auth, problems);
  validate(c.tenant, c.auth, !c.otlp.tls.client_ca_file.empty(), problems);
  validate(c.rate_limit, problems);
  validate_limits(c, problems);
  validate_merge(c, problems);
}

}  // namespace spanway::ingress
