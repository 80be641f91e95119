// OtlpGrpcSink against the real http::Server with ExportService, over loopback: each proves the
// other, with grpc++ between them.
#include "services/lib/rpc/otlp_grpc_sink.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/fakes/sink_recorder.h"
#include "tests/unit/rpc/loopback.h"

namespace spanway::rpc {
namespace {

using otlp::Signal;
using pipeline::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

class OtlpGrpcSinkTest : public testing::Test {
 protected:
  OtlpGrpcSinkTest() { restart({}); }

  void restart(ExportServiceOptions options, std::uint16_t port = 0) {
    receiver_.reset();
    receiver_ = std::make_unique<Receiver>(behind_, receiver_budget_, telemetry(),
                                           Receiver::Options{.service = options, .port = port});
  }
  OtlpGrpcSinkOptions options() const {
    OtlpGrpcSinkOptions options;
    options.endpoint = "127.0.0.1:" + std::to_string(receiver_->port());
    options.connections = 2;
    return options;
  }
  std::unique_ptr<OtlpGrpcSink> sink() { return sink(options()); }
  std::unique_ptr<OtlpGrpcSink> sink(OtlpGrpcSinkOptions options) {
    return OtlpGrpcSink::create(std::move(options), system_clock(), telemetry()).value();
  }
  telemetry::Telemetry telemetry() { return {log_, metrics_}; }
  void accept_all() {
    behind_.answer_with([](const pipeline::Batch&) { return Outcome{}; });
  }
  void refuse_all(Error error) {
    behind_.answer_with([error](const pipeline::Batch&) { return error; });
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  MemoryBudget receiver_budget_{128 << 20};
  MemoryBudget sender_budget_{128 << 20};
  fakes::SinkRecorder behind_;
  std::unique_ptr<Receiver> receiver_;
};

TEST_F(OtlpGrpcSinkTest, CarriesEverySignalWithItsMetadata) {
  const auto sender = sink();
  for (const Signal signal : otlp::kSignals) {
    pipeline::Batch batch = batch_of("some bytes", signal);
    batch.metadata = {.tenant = "blue",
                      .batch_id = "otel.traces:0:1-9",
                      .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                      .tracestate = "a=1"};
    auto answer = send(*sender, std::move(batch));
    auto taken = behind_.take(kTimeout);
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(taken->batch.signal, signal);
    EXPECT_EQ(taken->batch.payload.view(), "some bytes");
    EXPECT_EQ(taken->batch.metadata.tenant, "blue");
    EXPECT_EQ(taken->batch.metadata.batch_id, "otel.traces:0:1-9");
    EXPECT_EQ(taken->batch.metadata.traceparent,
              "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    EXPECT_EQ(taken->batch.metadata.tracestate, "a=1");
    taken->token.ack();
    const Answer got = wait(answer);
    ASSERT_TRUE(got.ok()) << got.error().message;
    EXPECT_EQ(got->rejected, 0u);
  }
  EXPECT_TRUE(sender->health().reachable);
  EXPECT_EQ(sender->health().last_error, "");
}

TEST_F(OtlpGrpcSinkTest, SendsPiecesAsOneMessageAndLeavesThemWhole) {
  auto sender = sink();
  // Small pieces are joined, large ones are shown to gRPC where they lie.
  for (const std::size_t piece_bytes : {10u, 100'000u}) {
    pipeline::Pieces kept;
    std::string complete;
    for (const char letter : {'a', 'b', 'c'}) {
      kept.add(std::make_shared<const Bytes>(std::string(piece_bytes, letter)));
      complete.append(piece_bytes, letter);
    }
    for (int attempt = 0; attempt < 2; ++attempt) {
      auto answered = std::make_shared<std::promise<Answer>>();
      auto answer = answered->get_future();
      pipeline::Batch batch = batch_of("");
      batch.permit = *sender_budget_.try_acquire(kept.size());
      sender->send_pieces(std::move(batch), kept, pipeline::AckToken([answered](Answer result) {
                            answered->set_value(result);
                          }));
      auto taken = behind_.take(kTimeout);
      ASSERT_TRUE(taken.has_value());
      EXPECT_EQ(taken->batch.payload.view(), complete) << piece_bytes;
      taken->token.ack();
      EXPECT_TRUE(wait(answer).ok());
      EXPECT_EQ(kept.join().view(), complete) << "for another try";
    }
  }
  sender.reset();  // Waits until gRPC has let go of the bytes.
  EXPECT_EQ(sender_budget_.used(), 0u);
}

TEST_F(OtlpGrpcSinkTest, AJoinedRequestIsAllOrNothingBehindTheNetworkToo) {
  const auto sender = sink(options());
  for (const bool joined : {true, false}) {
    pipeline::Batch batch = batch_of("x");
    batch.metadata.all_or_nothing = joined;
    auto answer = send(*sender, std::move(batch));
    auto taken = behind_.take(kTimeout);
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(taken->batch.metadata.all_or_nothing, joined);
    taken->token.ack();
    EXPECT_TRUE(wait(answer).ok());
  }
}

TEST_F(OtlpGrpcSinkTest, KeepsOurMetadataFromOthersWhenRequested) {
  OtlpGrpcSinkOptions plain = options();
  plain.send_metadata = false;
  const auto sender = sink(plain);
  pipeline::Batch batch = batch_of("x");
  batch.metadata.all_or_nothing = true;
  batch.metadata.tenant = "blue";
  batch.metadata.batch_id = "id";
  auto answer = send(*sender, std::move(batch));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->batch.metadata.tenant, "");
  EXPECT_EQ(taken->batch.metadata.batch_id, "");
  EXPECT_FALSE(taken->batch.metadata.all_or_nothing);
  taken->token.ack();
  EXPECT_TRUE(wait(answer).ok());
}

TEST_F(OtlpGrpcSinkTest, SendsTheConfiguredHeadersInLowerCase) {
  OtlpGrpcSinkOptions with_header = options();
  with_header.headers["Spanway-Tenant"] = Secret("green");
  const auto sender = sink(with_header);
  auto answer = send(*sender, batch_of("x"));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->batch.metadata.tenant, "green");
  taken->token.ack();
  EXPECT_TRUE(wait(answer).ok());
}

TEST_F(OtlpGrpcSinkTest, PassesADeadlineOnLessTheMargin) {
  const auto sender = sink();
  pipeline::Batch batch = batch_of("x");
  batch.deadline = Deadline::after(system_clock(), seconds(5));
  auto answer = send(*sender, std::move(batch));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  const Duration left = taken->batch.deadline.remaining(system_clock().now());
  EXPECT_LE(left, milliseconds(4810));  // gRPC rounds the header up to 10 ms.
  EXPECT_GT(left, milliseconds(1000));
  taken->token.ack();
  EXPECT_TRUE(wait(answer).ok());
}

TEST_F(OtlpGrpcSinkTest, ReportsPartialSuccess) {
  behind_.answer_with([](const pipeline::Batch&) { return Outcome{4, "four were bad"}; });
  const Answer answer = exchange(*sink(), batch_of("x"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 4u);
  EXPECT_EQ(answer->message, "four were bad");
}

TEST_F(OtlpGrpcSinkTest, ReadsACompressedAnswer) {
  const std::string text(4000, 'w');
  behind_.answer_with([text](const pipeline::Batch&) { return Outcome{1, text}; });
  const Answer answer = exchange(*sink(), batch_of("x"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->message, text);
}

TEST_F(OtlpGrpcSinkTest, KeepsTheKindOfEveryRefusal) {
  const auto sender = sink();
  const std::vector<Error> errors = {
      unknown_error(Code::kUnknown, "u"),
      invalid_argument("i"),
      configuration_error(Code::kNotFound, "n"),
      configuration_error(Code::kPermissionDenied, "p"),
      data_error(Code::kResourceExhausted, "too big"),
      transient_error(Code::kResourceExhausted, "busy").with_retry_after(milliseconds(700)),
      configuration_error(Code::kUnimplemented, "m"),
      unknown_error(Code::kInternal, "i"),
      unavailable("v").with_retry_after(milliseconds(2500)),
      configuration_error(Code::kUnauthenticated, "w")};
  for (const Error& error : errors) {
    refuse_all(error);
    const Answer answer = exchange(*sender, batch_of("x"));
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().refusal, error.refusal) << to_string(error.code);
    EXPECT_EQ(answer.error().code, error.code) << to_string(error.code);
    if (error.retry_after) {
      EXPECT_EQ(answer.error().retry_after, error.retry_after);
    }
    EXPECT_NE(answer.error().message.find(error.message), std::string::npos);
    EXPECT_NE(sender->health().last_error, "");
  }
  accept_all();
  EXPECT_TRUE(exchange(*sender, batch_of("x")).ok());
  EXPECT_EQ(sender->health().last_error, "");
}

TEST_F(OtlpGrpcSinkTest, CompressesWithGzip) {
  OtlpGrpcSinkOptions gzip = options();
  gzip.compression = "gzip";
  const auto sender = sink(gzip);
  const std::string payload(500'000, 'z');
  auto answer = send(*sender, batch_of(payload));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->batch.payload.view(), payload);
  taken->token.ack();
  EXPECT_TRUE(wait(answer).ok());
  EXPECT_LT(metrics_.value("spanway_rpc_received_bytes_total",
                           {{"listener", "test"}, {"signal", "traces"}}),
            100'000);
}

TEST_F(OtlpGrpcSinkTest, CarriesLargeMessages) {
  const auto sender = sink();
  std::string payload(30 << 20, '\0');
  for (std::size_t i = 0; i < payload.size(); i += 997) payload[i] = static_cast<char>(i / 997);
  auto answer = send(*sender, batch_of(payload));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  EXPECT_TRUE(taken->batch.payload.view() == payload);
  taken->token.ack();
  EXPECT_TRUE(wait(answer).ok());
}

TEST_F(OtlpGrpcSinkTest, AMessageAboveTheReceiversLimitIsRefusedForGood) {
  restart({.message_bytes_max = 4 << 20});
  const auto sender = sink();
  const Answer answer = exchange(*sender, batch_of(std::string(60'000'000, 'x')));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted) << answer.error().message;
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  EXPECT_EQ(receiver_budget_.peak(), 0u);
  accept_all();
  EXPECT_TRUE(exchange(*sender, batch_of("x")).ok());
}

TEST_F(OtlpGrpcSinkTest, AReceiverWithoutMemoryRefusesTransiently) {
  const Permit taken = receiver_budget_.try_acquire(receiver_budget_.limit()).value();
  const Answer answer = exchange(*sink(), batch_of(std::string(1'000'000, 'x')));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted);
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_EQ(answer.error().retry_after, milliseconds(1000));
}

TEST_F(OtlpGrpcSinkTest, HoldsThePermitUntilTheAnswer) {
  const auto sender = sink();
  pipeline::Batch batch = batch_of(std::string(1000, 'x'));
  batch.permit = sender_budget_.try_acquire(1000).value();
  auto answer = send(*sender, std::move(batch));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(sender_budget_.used(), 1000u);
  taken->token.ack();
  EXPECT_TRUE(wait(answer).ok());
}

TEST_F(OtlpGrpcSinkTest, GivesEveryPermitBackByItsEnd) {
  accept_all();
  {
    const auto sender = sink();
    std::vector<std::future<Answer>> answers;
    for (int i = 0; i < 50; ++i) {
      pipeline::Batch batch = batch_of(std::string(10'000, 'x'));
      batch.permit = sender_budget_.try_acquire(10'000).value();
      answers.push_back(send(*sender, std::move(batch)));
    }
    for (auto& answer : answers) EXPECT_TRUE(wait(answer).ok());
  }
  EXPECT_EQ(sender_budget_.used(), 0u);
  EXPECT_GE(sender_budget_.peak(), 10'000u);
}

TEST_F(OtlpGrpcSinkTest, AnswersItselfWhenTheReceiverIsTooSlow) {
  const auto sender = sink();
  pipeline::Batch batch = batch_of("x");
  batch.deadline = Deadline::after(system_clock(), milliseconds(500));
  auto answer = send(*sender, std::move(batch));
  auto taken = behind_.take(kTimeout);  // And never answers.
  const Answer got = wait(answer);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(got.error().refusal, Refusal::kTransient);
  EXPECT_FALSE(sender->health().reachable);
  if (taken) taken->token.ack();
}

TEST_F(OtlpGrpcSinkTest, ItsOwnTimeoutHoldsWithoutADeadline) {
  OtlpGrpcSinkOptions impatient = options();
  impatient.timeout = milliseconds(300);
  const auto sender = sink(impatient);
  const Answer answer = exchange(*sender, batch_of("x"));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
  behind_.take()->token.ack();
}

TEST_F(OtlpGrpcSinkTest, RefusesABatchWhoseDeadlineHasPassed) {
  const auto sender = sink();
  pipeline::Batch batch = batch_of("x");
  batch.deadline = Deadline::after(system_clock(), milliseconds(150));  // Less than the margin.
  const Answer answer = exchange(*sender, std::move(batch));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(behind_.sent(), 0u);
}

TEST_F(OtlpGrpcSinkTest, RefusesMoreThanItsBound) {
  OtlpGrpcSinkOptions one = options();
  one.in_flight_max = 1;
  const auto sender = sink(one);
  auto first = send(*sender, batch_of("1"));
  const Answer second = exchange(*sender, batch_of("2"));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_EQ(second.error().refusal, Refusal::kTransient);
  EXPECT_TRUE(second.error().retry_after.has_value());
  EXPECT_STREQ(second.error().reason, "sink_full");
  behind_.take(kTimeout)->token.ack();
  EXPECT_TRUE(wait(first).ok());
  accept_all();
  EXPECT_TRUE(exchange(*sender, batch_of("3")).ok());
}

TEST_F(OtlpGrpcSinkTest, ANewReceiverOnThePortIsFoundAgain) {
  const auto sender = sink();
  auto cut = send(*sender, batch_of("1"));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  const std::uint16_t port = receiver_->port();
  receiver_.reset();  // Mid-call.
  const Answer lost = wait(cut);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().refusal, Refusal::kTransient) << lost.error().message;
  taken->token.ack();

  const Answer refused = exchange(*sender, batch_of("2"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(refused.error().refusal, Refusal::kTransient);
  EXPECT_FALSE(sender->health().reachable);

  accept_all();
  restart({}, port);
  const Deadline deadline = Deadline::after(system_clock(), kTimeout);
  bool answered = false;
  while (!answered && !deadline.passed(system_clock().now())) {
    answered = exchange(*sender, batch_of("3")).ok();
  }
  EXPECT_TRUE(answered);
  EXPECT_TRUE(sender->health().reachable);
}

TEST_F(OtlpGrpcSinkTest, DrainWaitsForTheAnswersAndThenRefuses) {
  const auto sender = sink();
  auto answer = send(*sender, batch_of("x"));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  EXPECT_FALSE(sender->drain(Deadline::after(system_clock(), milliseconds(20))));
  taken->token.ack();
  EXPECT_TRUE(sender->drain(Deadline::after(system_clock(), kTimeout)));
  EXPECT_TRUE(wait(answer).ok());
  const Answer late = exchange(*sender, batch_of("y"));
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::kUnavailable);
  EXPECT_STREQ(late.error().reason, "draining");
}

TEST_F(OtlpGrpcSinkTest, ItsEndAnswersWhatIsInFlight) {
  auto sender = sink();
  auto answer = send(*sender, batch_of("x"));
  auto taken = behind_.take(kTimeout);
  ASSERT_TRUE(taken.has_value());
  sender.reset();
  const Answer got = wait(answer);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Code::kCancelled);
  EXPECT_EQ(got.error().refusal, Refusal::kTransient);
  taken->token.ack();
}

TEST_F(OtlpGrpcSinkTest, CountsWhatItSends) {
  accept_all();
  const OtlpGrpcSinkOptions o = options();
  const auto sender = sink(o);
  EXPECT_TRUE(exchange(*sender, batch_of("12345")).ok());
  EXPECT_EQ(metrics_.value("spanway_rpc_client_sent_bytes_total", {{"endpoint", o.endpoint}}), 5);
  EXPECT_EQ(metrics_.value("spanway_rpc_client_requests_total",
                           {{"endpoint", o.endpoint}, {"code", "OK"}}),
            1);
  EXPECT_EQ(metrics_.value("spanway_rpc_client_in_flight_requests", {{"endpoint", o.endpoint}}), 0);
}

class OtlpGrpcSinkOptionsTest : public testing::Test {
 protected:
  Status create(const OtlpGrpcSinkOptions& options) {
    auto created = OtlpGrpcSink::create(options, system_clock(), {log_, metrics_});
    if (!created.ok()) return std::move(created).error();
    return ok_status();
  }
  static OtlpGrpcSinkOptions with(void (*change)(OtlpGrpcSinkOptions&)) {
    OtlpGrpcSinkOptions options;
    options.endpoint = "127.0.0.1:1";
    options.connections = 1;
    change(options);
    return options;
  }
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
};

TEST_F(OtlpGrpcSinkOptionsTest, AnEndpointIsHostAndPort) {
  for (const char* endpoint : {"", "host", "host:", ":4317", "host:0", "host:65536", "host:43x",
                               "http://host:4317", "::1:4317", "a b:1"}) {
    OtlpGrpcSinkOptions options;
    options.endpoint = endpoint;
    const Status status = create(options);
    ASSERT_FALSE(status.ok()) << endpoint;
    EXPECT_EQ(status.error().refusal, Refusal::kConfiguration);
  }
  for (const char* endpoint : {"localhost:4317", "10.0.0.1:1", "[::1]:4317", "a.b-c:65535"}) {
    OtlpGrpcSinkOptions options;
    options.endpoint = endpoint;
    options.connections = 1;
    EXPECT_TRUE(create(options).ok()) << endpoint;
  }
}

TEST_F(OtlpGrpcSinkOptionsTest, WrongOnesAreRefusedBeforeAnythingIsSent) {
  using O = OtlpGrpcSinkOptions;
  EXPECT_TRUE(create(with([](O&) {})).ok());
  EXPECT_FALSE(create(with([](O& o) { o.compression = "zstd"; })).ok());
  EXPECT_FALSE(create(with([](O& o) { o.in_flight_max = 0; })).ok());
  EXPECT_FALSE(create(with([](O& o) { o.headers["a blank"] = Secret("x"); })).ok());
  EXPECT_FALSE(create(with([](O& o) { o.headers["grpc-timeout"] = Secret("1S"); })).ok());
  EXPECT_FALSE(create(with([](O& o) { o.headers["token"] = Secret("line\nbreak"); })).ok());
  EXPECT_FALSE(create(with([](O& o) { o.tls.emplace().ca_file = "/nonexistent/ca.pem"; })).ok());
  EXPECT_FALSE(create(with([](O& o) { o.tls.emplace().certificate_file = "/etc/hostname"; })).ok());
}

TEST_F(OtlpGrpcSinkOptionsTest, NoErrorShowsASecret) {
  const Status status =
      create(with([](OtlpGrpcSinkOptions& o) { o.headers["token"] = Secret("hunter2\n"); }));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message.find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace spanway::rpc
