// Runs one stage of a request's way again and again, for bench/cost/stages.py, which counts the
// instructions inside of cost_repeat(). The request has 512 spans of about 770 bytes, eight a
// trace.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/ingress/merger.h"
#include "services/ingress/validator.h"
#include "services/lib/base/check.h"
#include "services/lib/base/random.h"
#include "services/lib/http/server/http2_session.h"
#include "services/lib/http/server/response_queue.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/split.h"
#include "services/lib/rpc/export_service.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/otlp_builder.h"

// A name of its own, by which valgrind finds what is to be counted.
extern "C" __attribute__((noinline)) void cost_repeat(const std::function<void(std::size_t)>& once,
                                                      std::size_t repetitions) {
  for (std::size_t i = 0; i < repetitions; ++i) once(i);
}

namespace spanway {
namespace {

constexpr std::size_t kSpans = 512;
constexpr std::size_t kMergedRequests = 8;
constexpr std::size_t kReadBytes = 128 * 1024;  // As an io thread reads.

// Takes everything at once.
class NoSink final : public pipeline::Sink {
 public:
  void send(pipeline::Batch, pipeline::AckToken token) noexcept override { token.ack(); }
  bool drain(Deadline) override { return true; }
  pipeline::SinkHealth health() const override { return {}; }
};

// Never interrupted by another part of the program: one of everything, for all stages.
struct Surroundings {
  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  MemoryBudget budget{1u << 30};
  auth::RateLimiter unlimited{{}, clock};
  NoSink sink;
};

std::string request_of(std::size_t spans) {
  Random random(1);
  const auto id = [&random](std::size_t size) {
    std::string made;
    for (std::size_t i = 0; i < size; ++i) made += static_cast<char>(random.next() | 1);
    return made;
  };
  std::vector<std::string> traces;
  for (std::size_t i = 0; i < (spans + 7) / 8; ++i) traces.push_back(id(16));
  std::vector<fakes::ProtoMessage> made;
  for (std::size_t i = 0; i < spans; ++i) {
    std::vector<fakes::ProtoMessage> attributes;
    for (int n = 0; n < 10; ++n)
      attributes.push_back(
          fakes::otlp_attribute("an.attribute.of.a.span." + std::to_string(n),
                                "value " + std::to_string(random.next()) + " of it"));
    made.push_back(fakes::otlp_span(traces[i % traces.size()], id(8),
                                    "GET /api/v2/customers/{customer}/orders/{order}", attributes)
                       .bytes(4, id(8)));
  }
  const fakes::ProtoMessage resource =
      fakes::ProtoMessage()
          .message(
              1, fakes::ProtoMessage().message(1, fakes::otlp_attribute("service.name", "orders")))
          .message(2, fakes::otlp_scope("io.example.http", made));
  return fakes::otlp_request({resource}).encode();
}

pipeline::Batch batch_of(Surroundings& around, std::string_view request, std::size_t spans) {
  pipeline::Batch batch;
  batch.permit = around.budget.try_acquire(request.size()).value();
  batch.payload = Bytes(request);
  batch.item_count = spans;
  return batch;
}

void scan(Surroundings&, std::size_t repetitions) {
  const std::string request = request_of(kSpans);
  otlp::Scanner scanner;
  cost_repeat(
      [&](std::size_t) { SPANWAY_CHECK(scanner.scan(otlp::Signal::kTraces, request).ok()); },
      repetitions);
}

void split(Surroundings&, std::size_t repetitions) {
  const std::string request = request_of(kSpans);
  otlp::Scanner scanner;
  SPANWAY_CHECK(scanner.scan(otlp::Signal::kTraces, request).ok());
  cost_repeat(
      [&](std::size_t) {
        SPANWAY_CHECK(otlp::split(scanner.index(), request, {.partition_count = 12}).size() == 12);
      },
      repetitions);
}

void merge(Surroundings& around, std::size_t repetitions) {
  const std::string request = request_of(kSpans / kMergedRequests);
  ingress::MergeConfig config;
  config.requests_max = kMergedRequests;
  ingress::Merger merger(config, {&around.executor}, around.sink, around.budget, around.clock,
                         ingress::Events({around.log, around.metrics}));
  cost_repeat(
      [&](std::size_t) {
        merger.send(batch_of(around, request, kSpans / kMergedRequests),
                    pipeline::AckToken([](const auto&) {}));
      },
      repetitions * kMergedRequests);
}

void validate(Surroundings& around, std::size_t repetitions) {
  const std::string request = request_of(kSpans);
  ingress::Validator validator({}, ingress::Transport::kGrpc, around.unlimited, around.clock,
                               ingress::Events({around.log, around.metrics}), around.sink);
  cost_repeat(
      [&](std::size_t) {
        validator.send(batch_of(around, request, kSpans), pipeline::AckToken([](const auto&) {}));
      },
      repetitions);
}

// --- Framing: HTTP/2 and gRPC, from bytes read to a message, and from its answer to bytes.

// A frame of stream 0.
std::string frame(unsigned char type, unsigned char flags, std::string_view payload) {
  std::string made;
  for (const unsigned shift : {16U, 8U, 0U})
    made.push_back(static_cast<char>(payload.size() >> shift));
  made.push_back(static_cast<char>(type));
  made.push_back(static_cast<char>(flags));
  return made.append(4, '\0').append(payload);
}

std::string literal(std::string_view name, std::string_view value) {
  std::string made(1, '\0');
  made.push_back(static_cast<char>(name.size()));
  made.append(name).push_back(static_cast<char>(value.size()));
  return made.append(value);
}

std::string call_of(std::string_view request) {
  constexpr std::size_t kFrameBytes = 16 * 1024;  // As gRPC's clients send.
  constexpr unsigned char kData = 0, kHeaders = 1, kEndStream = 1, kEndHeaders = 4;
  constexpr std::string_view kPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  std::string made =
      frame(kHeaders, kEndHeaders,
            literal(":method", "POST") + literal(":scheme", "http") + literal(":path", kPath) +
                literal(":authority", "a") + literal("content-type", "application/grpc") +
                literal("te", "trailers"));
  std::string message(1, '\0');
  for (const unsigned shift : {24U, 16U, 8U, 0U})
    message.push_back(static_cast<char>(request.size() >> shift));
  message.append(request);
  for (std::size_t at = 0; at < message.size(); at += kFrameBytes)
    made += frame(kData, at + kFrameBytes >= message.size() ? kEndStream : 0,
                  std::string_view(message).substr(at, kFrameBytes));
  return made;
}

// Sets that of all frames of a call.
void set_stream(std::string& call, std::uint32_t stream) {
  constexpr std::size_t kHeaderBytes = 9;
  for (std::size_t at = 0; at < call.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(call[at + i]); };
    for (std::size_t i = 0; i < 4; ++i)
      call[at + 5 + i] = static_cast<char>(stream >> (24 - 8 * i));
    at += kHeaderBytes + (std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | byte(2));
  }
}

void framing(Surroundings& around, std::size_t repetitions) {
  const std::string request = request_of(kSpans);
  const auto gatekeeper = rpc::plain_gatekeeper();
  rpc::ExportService service({}, around.sink, *gatekeeper, around.budget, around.clock,
                             {around.log, around.metrics}, "otlp_grpc");
  const http::ServerOptions options;
  http::ServerEvents events({around.log, around.metrics}, "otlp_grpc");
  struct Answers final : http::ResponderSource {
    http::Responder make_responder(std::uint64_t id) override { return queue->make_responder(id); }
    std::size_t unanswered() const noexcept override { return queue->unanswered(); }
    std::shared_ptr<http::ResponseQueue> queue = std::make_shared<http::ResponseQueue>([] {});
  } answers;
  const auto session = http::make_http2_session({.options = options,
                                                 .handler = service,
                                                 .events = events,
                                                 .clock = around.clock,
                                                 .peer_address = "127.0.0.1",
                                                 .tls = false,
                                                 .peer_certificate_cn = ""},
                                                answers);
  Bytes sent;
  std::vector<http::ResponseQueue::Answer> ready;
  session->receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, ""));
  session->produce(sent, kReadBytes);
  session->receive(
      frame(4, 1, ""));  // The windows of our SETTINGS hold once they are acknowledged.
  std::size_t answered = 0;
  std::string call = call_of(request);
  const auto once = [&](std::size_t i) {
    set_stream(call, static_cast<std::uint32_t>(2 * i + 1));
    for (std::size_t at = 0; at < call.size(); at += kReadBytes)
      session->receive(std::string_view(call).substr(at, kReadBytes));
    answers.queue->take(ready);
    for (auto& answer : ready) session->answer(answer.id, std::move(answer.response), nullptr);
    answered += ready.size();
    sent.clear();
    session->produce(sent, kReadBytes);
  };
  cost_repeat(once, repetitions);
  SPANWAY_CHECK(answered == repetitions);
}

using Stage = void (*)(Surroundings&, std::size_t);

Stage stage_of(std::string_view name) {
  if (name == "scan") return scan;
  if (name == "split") return split;
  if (name == "merge") return merge;
  if (name == "validate") return validate;
  return name == "framing" ? framing : nullptr;
}

}  // namespace
}  // namespace spanway

int main(int argc, char** argv) {
  const spanway::Stage stage = argc == 3 ? spanway::stage_of(argv[1]) : nullptr;
  std::size_t repetitions = 0;
  const std::string_view count = argc == 3 ? argv[2] : "";
  const bool is_number =
      std::from_chars(count.data(), count.data() + count.size(), repetitions).ec == std::errc();
  if (stage == nullptr || !is_number) {
    std::fputs("usage: cost_stages scan|split|merge|validate|framing REPETITIONS\n", stderr);
    return 2;
  }
  spanway::Surroundings around;
  stage(around, repetitions);
}
