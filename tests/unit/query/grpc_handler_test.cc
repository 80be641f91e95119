// Jaeger's gRPC API against the real grpc++ client, which takes messages of 4 MiB at most.
#include "services/query/grpc_handler.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <string>
#include <thread>

#include "services/lib/base/random.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/otlp/wire.h"
#include "services/query/query_handler.h"
#include "services/query/store/memory/memory_trace_store.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/query/scripted_store.h"
#include "tests/unit/rpc/client_call.h"

namespace spanway::query {
namespace {

using fakes::ProtoMessage;
using grpc::StatusCode;
using rpc::ClientCall;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::chrono::seconds kLong{30};
// Go's time that has not been set, as its clients send it.
constexpr std::int64_t kUnsetSeconds = -62'135'596'800;

std::string method(const std::string& name) { return "/jaeger.api_v3.QueryService/" + name; }

ProtoMessage time_of(std::int64_t seconds) {
  return ProtoMessage().varint(1, static_cast<std::uint64_t>(seconds));
}
ProtoMessage any_time() {
  return ProtoMessage().message(4, time_of(0)).message(5, time_of(4'000'000'000));
}
std::string search(ProtoMessage query) {
  return ProtoMessage().message(1, std::move(query)).encode();
}

// The contents of a field of a message, one for each time that it occurs.
std::vector<std::string> contents(const std::string& message, std::uint32_t field) {
  std::vector<std::string> all;
  otlp::wire::Ptr p = otlp::wire::begin_of(message);
  const otlp::wire::Ptr end = otlp::wire::end_of(message);
  while (p != end) {
    otlp::wire::Field one;
    p = otlp::wire::read_field(p, end, one);
    if (p == nullptr) {
      ADD_FAILURE() << "no message";
      break;
    }
    if (otlp::wire::field_of(one.tag) == field) all.emplace_back(one.bytes());
  }
  return all;
}
// The same along a path of messages.
std::vector<std::string> contents(const std::vector<std::string>& messages,
                                  std::initializer_list<std::uint32_t> path) {
  std::vector<std::string> all = messages;
  for (const std::uint32_t field : path) {
    std::vector<std::string> inner;
    for (const std::string& message : all)
      for (std::string& content : contents(message, field)) inner.push_back(std::move(content));
    all = std::move(inner);
  }
  return all;
}
// Trace ids of the spans of TracesData.
std::vector<std::string> trace_ids(const std::vector<std::string>& messages) {
  return contents(messages, {1, 2, 2, 1});
}
std::string trace_id(std::uint64_t trace) {
  std::string id(16, '\0');
  id.back() = static_cast<char>(trace);
  return id;
}

class GrpcHandlerTest : public testing::Test {
 protected:
  void serve(const QueryConfig& config = {}) {
    Random random = Random::from_entropy();
    authenticator_ = auth::Authenticator::create(config.auth, auth::read_small_file,
                                                 auth::KeyedHash::make_key(random))
                         .value();
    workers_ = std::make_unique<QueryWorkers>(static_cast<std::size_t>(config.limits.running),
                                              static_cast<std::size_t>(config.limits.queued));
    admission_.emplace(config, *authenticator_, *workers_, budget_);
    handler_ = std::make_unique<GrpcHandler>(GrpcHandler::Parts{
        *admission_, store_, *workers_, budget_, system_clock(), events_, health_});
    http::ServerOptions options;
    options.name = "jaeger_grpc";
    server_ = http::Server::create(options, nullptr, io_, *handler_, {log_, metrics_}).value();
    server_->start();
    stub_ = std::make_unique<grpc::GenericStub>(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(server_->port()), grpc::InsecureChannelCredentials()));
  }
  ~GrpcHandlerTest() override {
    stub_.reset();
    server_.reset();
    if (admission_) admission_->cancel_all();
    workers_.reset();
  }

  struct Answer {
    StatusCode code = StatusCode::UNKNOWN;
    std::string text;
    std::vector<std::string> messages;
  };
  Answer ask(const std::string& name, const std::string& request,
             const std::map<std::string, std::string>& metadata = {}) {
    ClientCall call(*stub_, method(name), request, kLong, metadata);
    const grpc::Status status = call.wait();
    return {status.error_code(), status.error_message(), call.wait_messages(0)};
  }
  StatusCode code(const std::string& name, const std::string& request) {
    return ask(name, request).code;
  }
  void add_trace(const std::string& tenant, std::uint64_t trace, std::uint64_t spans,
                 const std::string& value = "u") {
    std::vector<ProtoMessage> messages;
    for (std::uint64_t i = 1; i <= spans; ++i)
      messages.push_back(
          fakes::otlp_span(trace, i, "GET /", {fakes::otlp_attribute("user", value)}));
    ASSERT_TRUE(memory_.add(tenant, fakes::otlp_request_of(messages)).ok());
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"query", 1};
  MemoryBudget budget_{256u << 20};
  Events events_{{log_, metrics_}};
  StoreHealth health_{system_clock()};
  MemoryTraceStore memory_;
  ScriptedStore store_{memory_};
  std::optional<QueryAdmission> admission_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  std::unique_ptr<QueryWorkers> workers_;
  std::unique_ptr<GrpcHandler> handler_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<grpc::GenericStub> stub_;
};

TEST_F(GrpcHandlerTest, EveryMethodAnswers) {
  serve();
  add_trace("", 1, 3);
  EXPECT_THAT(trace_ids(ask("GetTrace", ProtoMessage().bytes(1, "1").encode()).messages),
              ElementsAre(trace_id(1), trace_id(1), trace_id(1)));
  EXPECT_EQ(trace_ids(ask("FindTraces", search(any_time())).messages).size(), 3u);
  const auto services = ask("GetServices", "");
  EXPECT_EQ(services.code, StatusCode::OK);
  EXPECT_THAT(contents(services.messages, {1}), ElementsAre("shop"));
  EXPECT_THAT(
      contents(ask("GetOperations", ProtoMessage().bytes(1, "shop").encode()).messages, {1, 1}),
      ElementsAre("GET /"));
  EXPECT_THAT(contents(ask("FindTraceSummaries", search(any_time())).messages, {1, 1}),
              ElementsAre("00000000000000000000000000000001"));
  const auto range = ProtoMessage().message(1, time_of(0)).message(2, time_of(4'000'000'000));
  EXPECT_EQ(code("GetDependencies", range.encode()), StatusCode::OK);
}

TEST_F(GrpcHandlerTest, ASearchHasTheConditionsOfItsRequest) {
  serve();
  add_trace("", 1, 2, "a");
  add_trace("", 2, 1, "b");
  const auto found = [&](ProtoMessage query) {
    return trace_ids(ask("FindTraces", search(std::move(query))).messages).size();
  };
  const auto user = [](const std::string& value) {
    return ProtoMessage().bytes(1, "user").bytes(2, value);
  };
  EXPECT_EQ(found(any_time()), 3u);
  EXPECT_EQ(found(any_time().message(3, user("b"))), 1u);
  EXPECT_EQ(found(any_time().message(3, user("c"))), 0u);
  EXPECT_EQ(found(any_time().bytes(1, "shop").bytes(2, "GET /")), 3u);
  EXPECT_EQ(found(any_time().bytes(1, "other")), 0u);
  EXPECT_EQ(found(any_time().bytes(2, "other")), 0u);
  EXPECT_EQ(found(any_time().message(6, time_of(3600))), 0u);
  EXPECT_EQ(found(any_time().message(7, time_of(3600))), 3u);
  EXPECT_EQ(found(any_time().varint(9, 1)), 3u) << "raw";
  EXPECT_EQ(found(ProtoMessage().message(4, time_of(0)).message(5, time_of(1))), 0u);
  const auto one = trace_ids(ask("FindTraces", search(any_time().varint(8, 1))).messages);
  EXPECT_EQ(std::set<std::string>(one.begin(), one.end()).size(), 1u);
}

TEST_F(GrpcHandlerTest, EachMessageHasSpansOfOneTrace) {
  serve();
  for (std::uint64_t trace = 1; trace <= 5; ++trace) add_trace("", trace, 3);
  const Answer answer = ask("FindTraces", search(any_time()));
  EXPECT_EQ(answer.messages.size(), 5u);
  for (const std::string& message : answer.messages) {
    const auto ids = trace_ids({message});
    EXPECT_EQ(ids, std::vector<std::string>(3, ids.at(0)));
  }
}

TEST_F(GrpcHandlerTest, ALongTraceComesWholeInMessagesThatClientsTake) {
  serve();
  // 12 MiB, most of it in values that the store holds once.
  for (int part = 0; part < 4; ++part) add_trace("", 1, 4000, std::string(800, 'v'));
  const Answer answer = ask("GetTrace", ProtoMessage().bytes(1, "1").encode());
  EXPECT_EQ(answer.code, StatusCode::OK) << answer.text;
  EXPECT_EQ(trace_ids(answer.messages).size(), 16'000u);
  EXPECT_GE(answer.messages.size(), 6u);
  for (const std::string& message : answer.messages) EXPECT_LE(message.size(), 2u << 20);
}

TEST_F(GrpcHandlerTest, NothingFoundIsNoError) {
  serve();
  const Answer none = ask("GetTrace", ProtoMessage().bytes(1, "77").encode());
  EXPECT_EQ(none.code, StatusCode::OK);
  EXPECT_TRUE(none.messages.empty());
  EXPECT_EQ(code("FindTraces", search(any_time())), StatusCode::OK);
}

TEST_F(GrpcHandlerTest, ATimeOfGoThatIsNotSetIsNone) {
  serve();
  add_trace("", 1, 1);
  const auto trace = ProtoMessage()
                         .bytes(1, "1")
                         .message(2, time_of(kUnsetSeconds))
                         .message(3, time_of(kUnsetSeconds));
  EXPECT_EQ(trace_ids(ask("GetTrace", trace.encode()).messages).size(), 1u);
  const auto query =
      ProtoMessage().message(4, time_of(kUnsetSeconds)).message(5, time_of(4'000'000'000));
  EXPECT_EQ(code("FindTraces", search(query)), StatusCode::INVALID_ARGUMENT);
}

TEST_F(GrpcHandlerTest, MistakesAreInvalidArguments) {
  serve();
  for (const std::string& request :
       {std::string(), ProtoMessage().bytes(1, "zz").encode(), std::string("\x0a\xff")})
    EXPECT_EQ(code("GetTrace", request), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ask("FindTraces", "").text, "missing query");
  EXPECT_THAT(ask("FindTraces", search(ProtoMessage())).text, HasSubstr("required"));
  EXPECT_THAT(ask("FindTraces", search(any_time().varint(8, 1501))).text, HasSubstr("1500"));
  EXPECT_THAT(ask("FindTraces", search(any_time().bytes(10, ""))).text, HasSubstr("filter"));
  EXPECT_EQ(code("FindTraces", search(any_time().varint(8, ~std::uint64_t{0}))),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code("GetDependencies", ""), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code("Other", ""), StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcHandlerTest, ErrorsOfTheStoreHaveTheirCodes) {
  serve();
  store_.error = unavailable("no connection");
  EXPECT_EQ(code("GetServices", ""), StatusCode::UNAVAILABLE);
  EXPECT_EQ(health_.snapshot().reachable, false);
  store_.error = data_error(Code::kResourceExhausted, "too much; narrow the query");
  EXPECT_EQ(code("GetServices", ""), StatusCode::RESOURCE_EXHAUSTED);
  store_.error = transient_error(Code::kResourceExhausted, "no memory");
  EXPECT_EQ(code("GetServices", ""), StatusCode::UNAVAILABLE);
  store_.error = transient_error(Code::kDeadlineExceeded, "late");
  EXPECT_EQ(code("GetServices", ""), StatusCode::DEADLINE_EXCEEDED);
  store_.error = configuration_error(Code::kUnauthenticated, "our password is wrong");
  EXPECT_EQ(code("GetServices", ""), StatusCode::INTERNAL) << "not the client's credentials";
  store_.error = configuration_error(Code::kUnimplemented, "no store");
  EXPECT_EQ(code("GetServices", ""), StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcHandlerTest, ATenantSeesItsOwnSpansOnly) {
  QueryConfig config;
  config.auth.mode = auth::AuthMode::kBearer;
  config.auth.tokens = {{.token = Secret("a-token"), .token_file = "", .tenant = "a"},
                        {.token = Secret("b-token"), .token_file = "", .tenant = "b"}};
  config.tenant.from = auth::TenantSource::kToken;
  serve(config);
  add_trace("a", 1, 1);
  const auto with = [&](const std::string& token) {
    return ask("FindTraces", search(any_time()), {{"authorization", "Bearer " + token}});
  };
  EXPECT_EQ(trace_ids(with("a-token").messages).size(), 1u);
  EXPECT_EQ(trace_ids(with("b-token").messages).size(), 0u);
  EXPECT_EQ(with("c-token").code, StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(code("GetServices", ""), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(events_.refused(), 2u);
}

TEST_F(GrpcHandlerTest, TheClientsCancelEndsTheQuery) {
  serve();
  store_.entered.emplace();
  store_.waits_for_cancel = true;
  ClientCall call(*stub_, method("GetServices"), "", kLong);
  store_.entered->get_future().wait();
  call.cancel();
  EXPECT_EQ(call.wait().error_code(), StatusCode::CANCELLED);
  while (events_.cancelled() < 1) std::this_thread::yield();
  EXPECT_EQ(events_.failed(), 0u);
  EXPECT_EQ(health_.snapshot().reachable, std::nullopt) << "nothing is known of the store";
}

TEST_F(GrpcHandlerTest, TheClientsDeadlineEndsTheQueryAndIsNoFailureOfTheStore) {
  serve();
  store_.waits_for_cancel = true;
  ClientCall call(*stub_, method("GetServices"), "", std::chrono::seconds(2));
  EXPECT_EQ(call.wait().error_code(), StatusCode::DEADLINE_EXCEEDED);
  while (events_.cancelled() < 1) std::this_thread::yield();
  EXPECT_EQ(health_.snapshot().reachable, std::nullopt);
}

TEST_F(GrpcHandlerTest, TooManyQueriesAreRefusedWithTheTimeToComeBack) {
  QueryConfig config;
  config.limits.running = 1;
  config.limits.queued = 0;
  serve(config);
  store_.entered.emplace();
  ClientCall first(*stub_, method("GetServices"), "", kLong);
  store_.entered->get_future().wait();
  ClientCall second(*stub_, method("GetServices"), "", kLong);
  const grpc::Status refused = second.wait();
  EXPECT_EQ(refused.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_FALSE(refused.error_details().empty()) << "RetryInfo";
  store_.release.set_value();
  EXPECT_TRUE(first.wait().ok());
}

}  // namespace
}  // namespace spanway::query
