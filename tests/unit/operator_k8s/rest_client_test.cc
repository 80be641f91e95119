#include "operator/k8s/rest_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "operator/k8s/reconcile_scope.h"
#include "operator/k8s/status_error.h"
#include "services/lib/base/thread.h"
#include "tests/unit/operator_k8s/rest_client_fixture.h"

namespace spanway::kube {
namespace {

using fakes::ApiReply;
using fakes::ApiRequest;
using fakes::ScriptedApiServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

const ObjectKey kKey{"ns", "a"};

TEST_F(RestClientTest, GetSendsTheCredentials) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.answer(200, R"({"kind":"ConfigMap","metadata":{"name":"a"}})");
  });
  const auto object = client_->get(kConfigMaps, kKey);
  ASSERT_TRUE(object.ok()) << object.error().message;
  EXPECT_EQ(string_at(*object, "metadata/name"), "a");
  const ApiRequest request = server_->requests().at(0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/api/v1/namespaces/ns/configmaps/a");
  EXPECT_EQ(request.header("authorization"), "Bearer first");
  EXPECT_EQ(request.header("user-agent"), "spanway-operator/" SPANWAY_VERSION);
  EXPECT_EQ(request.header("accept"), "application/json");
  EXPECT_EQ(counted("get", "ok"), 1);
}

TEST_F(RestClientTest, ACachedReadIsAnsweredFromTheWatchCache) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.answer(200, R"({"kind":"ConfigMap","metadata":{"name":"a"}})");
  });
  ASSERT_TRUE(client_->get_cached(kConfigMaps, kKey).ok());
  ASSERT_TRUE(client_->get(kConfigMaps, kKey).ok());
  EXPECT_EQ(server_->requests().at(0).query, "resourceVersion=0");
  EXPECT_EQ(server_->requests().at(1).query, "") << "from a quorum";
}

TEST_F(RestClientTest, AMissingNameIsNeverTheCollection) {
  serve([](const ApiRequest&, ApiReply& reply) { reply.answer(200, "{}"); });
  EXPECT_EQ(client_->get(kPods, {"ns", ""}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(client_->remove(kPods, {"ns", ""}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(client_->remove(kPods, {"", "a"}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(client_->merge_patch(kPods, {"", "a"}, Json::object()).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(client_->apply(kPods, Json{{"metadata", {{"name", "a"}}}}, {}).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(client_->create(kPods, Json{{"metadata", {{"name", "a"}}}}).error().code,
            Code::kInvalidArgument);
  EXPECT_TRUE(server_->requests().empty());
}

struct ErrorCase {
  int status;
  const char* reason;
  Code code;
  Refusal refusal;
};
class RestClientErrors : public RestClientTest, public testing::WithParamInterface<ErrorCase> {};

TEST_P(RestClientErrors, FollowTheTable) {
  const ErrorCase& expected = GetParam();
  serve([&](const ApiRequest&, ApiReply& reply) {
    reply.answer(expected.status, to_text(Json{{"kind", "Status"},
                                               {"code", expected.status},
                                               {"reason", expected.reason},
                                               {"message", "the server's own words"}}));
  });
  const auto result = client_->get(kPods, kKey);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, expected.code);
  EXPECT_EQ(result.error().refusal, expected.refusal);
  EXPECT_NE(result.error().message.find("GET /api/v1/namespaces/ns/pods/a"), std::string::npos);
  EXPECT_NE(result.error().message.find("the server's own words"), std::string::npos);
  EXPECT_EQ(result.error().message.find("first"), std::string::npos) << "the token";
}

INSTANTIATE_TEST_SUITE_P(
    Table, RestClientErrors,
    testing::Values(
        ErrorCase{401, "Unauthorized", Code::kUnauthenticated, Refusal::kConfiguration},
        ErrorCase{403, "Forbidden", Code::kPermissionDenied, Refusal::kConfiguration},
        ErrorCase{404, "NotFound", Code::kNotFound, Refusal::kData},
        ErrorCase{409, "Conflict", Code::kAborted, Refusal::kTransient},
        ErrorCase{409, "AlreadyExists", Code::kAlreadyExists, Refusal::kData},
        ErrorCase{410, "Gone", Code::kOutOfRange, Refusal::kTransient},
        ErrorCase{410, "Expired", Code::kOutOfRange, Refusal::kTransient},
        ErrorCase{422, "Invalid", Code::kInvalidArgument, Refusal::kData},
        ErrorCase{400, "BadRequest", Code::kInvalidArgument, Refusal::kData},
        ErrorCase{405, "MethodNotAllowed", Code::kUnimplemented, Refusal::kConfiguration},
        ErrorCase{429, "TooManyRequests", Code::kResourceExhausted, Refusal::kTransient},
        ErrorCase{500, "InternalError", Code::kUnavailable, Refusal::kTransient},
        ErrorCase{503, "ServiceUnavailable", Code::kUnavailable, Refusal::kTransient},
        ErrorCase{302, "Found", Code::kFailedPrecondition, Refusal::kConfiguration}));

TEST_F(RestClientTest, RetryAfterIsPassedOn) {
  std::atomic<int> count{0};
  serve([&](const ApiRequest&, ApiReply& reply) {
    switch (count++) {
      case 0:
        return reply.answer(429, "slow down", {{"Retry-After", "7"}});
      case 1:
        return reply.answer(429, R"({"kind":"Status","details":{"retryAfterSeconds":3}})");
      case 2:
        return reply.answer(503, "", {{"Retry-After", "99999999"}});
      default:
        return reply.answer(429, "", {{"Retry-After", "soon"}});
    }
  });
  auto error = client_->get(kPods, kKey).error();
  EXPECT_EQ(error.retry_after, seconds(7));
  EXPECT_NE(error.message.find("slow down"), std::string::npos);
  EXPECT_EQ(client_->get(kPods, kKey).error().retry_after, seconds(3));
  EXPECT_EQ(client_->get(kPods, kKey).error().retry_after, std::chrono::hours(1));
  EXPECT_EQ(client_->get(kPods, kKey).error().retry_after, std::nullopt);
}

TEST_F(RestClientTest, AVersionThatTheCacheDoesNotHaveYetIsOutOfRange) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.answer(504, R"({"kind":"Status","code":504,"reason":"Timeout","message":"Too large",)"
                      R"("details":{"causes":[{"reason":"ResourceVersionTooLarge"}]}})");
  });
  const auto result = client_->list(kPods, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kOutOfRange);
  EXPECT_STREQ(result.error().reason, kReasonTooNew);
}

TEST_F(RestClientTest, ANamespaceThatEndsIsDistinguishedFromAMissingRight) {
  std::atomic<bool> ends{true};
  serve([&](const ApiRequest&, ApiReply& reply) {
    Json status = {{"kind", "Status"}, {"code", 403}, {"reason", "Forbidden"}};
    // As admission.NamespaceLifecycle answers.
    if (ends)
      status["details"]["causes"] = Json::array({{{"reason", "NamespaceTerminating"},
                                                  {"message", "namespace ns is being terminated"},
                                                  {"field", "metadata.namespace"}}});
    reply.answer(403, to_text(status));
  });
  EXPECT_STREQ(client_->get(kPods, kKey).error().reason, kReasonNamespaceEnds);
  ends = false;
  EXPECT_STREQ(client_->get(kPods, kKey).error().reason, "forbidden");
}

TEST_F(RestClientTest, MessagesAreTruncated) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.answer(422, to_text(Json{{"message", std::string(100'000, 'x')}}));
  });
  EXPECT_LE(client_->get(kPods, kKey).error().message.size(), 1024U);
}

TEST_F(RestClientTest, AnAnswerThatIsNoJsonIsNotAnApiServer) {
  serve([](const ApiRequest&, ApiReply& reply) { reply.answer(200, "<html>log in</html>"); });
  const auto result = client_->get(kPods, kKey);
  ASSERT_FALSE(result.ok());
  EXPECT_STREQ(result.error().reason, "not_an_api_server");
}

TEST_F(RestClientTest, ListPutsPagesTogether) {
  serve([](const ApiRequest& request, ApiReply& reply) {
    if (request.query.find("continue=") == std::string::npos)
      return reply.answer(200,
                          R"({"metadata":{"resourceVersion":"10","continue":"t/1=="},"items":[)"
                          R"({"metadata":{"name":"a","managedFields":[1]}}]})");
    reply.answer(200, R"({"metadata":{"resourceVersion":"10"},"items":[)"
                      R"({"metadata":{"name":"b"}}]})");
  });
  const auto result = client_->list(kDeployments, {.name_space = "ns",
                                                   .label_selector = "a=b,c in (d)",
                                                   .field_selector = "metadata.name=x",
                                                   .resource_version = "0"});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->resource_version, "10");
  ASSERT_EQ(result->items.size(), 2U);
  EXPECT_EQ(string_at(result->items[0], "apiVersion"), "apps/v1");
  EXPECT_EQ(string_at(result->items[0], "kind"), "Deployment");
  EXPECT_EQ(find(result->items[0], "metadata/managedFields"), nullptr);
  const auto requests = server_->requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].query,
            "limit=500&labelSelector=a%3Db%2Cc%20in%20%28d%29&fieldSelector=metadata.name%3Dx"
            "&resourceVersion=0&resourceVersionMatch=NotOlderThan");
  EXPECT_NE(requests[1].query.find("continue=t%2F1%3D%3D"), std::string::npos);
  EXPECT_EQ(requests[1].query.find("resourceVersion"), std::string::npos);
}

TEST_F(RestClientTest, ConnectionsAreKept) {
  constexpr int kRequests = 20;
  serve([](const ApiRequest&, ApiReply& reply) { reply.answer(200, "{}"); });
  for (int i = 0; i < kRequests; ++i) ASSERT_TRUE(client_->get(kDeployments, {"ns", "a"}).ok());
  std::set<int> connections;
  for (const ApiRequest& request : server_->requests()) connections.insert(request.connection);
  // A request right after the answer may come before cpprest has returned the connection to its
  // pool.
  EXPECT_LT(connections.size(), kRequests / 2U);
}

TEST_F(RestClientTest, AListThatNeverEndsIsBroken) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.answer(200, R"({"metadata":{"resourceVersion":"10","continue":"again"},"items":[]})");
  });
  connect(server_->url(), {.request_timeout = seconds(20), .list_pages_max = 3});
  const auto result = client_->list(kPods, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kResourceExhausted);
  EXPECT_EQ(server_->requests().size(), 3U);
}

TEST_F(RestClientTest, AnswersHaveABound) {
  serve([](const ApiRequest& request, ApiReply& reply) {
    if (request.path.find("pods") != std::string::npos)
      return reply.answer(200, "{\"a\":\"" + std::string(20'000, 'x') + "\"}");
    reply.start_stream();
    while (!reply.dropped()) reply.chunk(std::string(5'000, 'x'));
  });
  connect(server_->url(), {.request_timeout = seconds(20), .answer_bytes_max = 10'000});
  EXPECT_EQ(client_->get(kPods, kKey).error().code, Code::kResourceExhausted);
  EXPECT_EQ(client_->get(kSecrets, kKey).error().code, Code::kResourceExhausted);
}

TEST_F(RestClientTest, ApplySendsTheFullIntent) {
  serve([](const ApiRequest& request, ApiReply& reply) { reply.answer(201, request.body); });
  const Json object{{"metadata", {{"name", "a"}, {"namespace", "ns"}, {"managedFields", {1}}}},
                    {"data", {{"k", "v"}}}};
  const auto result = client_->apply(
      kConfigMaps, object, {.field_manager = "spanway-operator", .force = true, .dry_run = true});
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(to_text(*result), R"({"apiVersion":"v1","data":{"k":"v"},"kind":"ConfigMap",)"
                              R"("metadata":{"name":"a","namespace":"ns"}})");
  const ApiRequest request = server_->requests().at(0);
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.header("content-type"), "application/apply-patch+yaml");
  EXPECT_EQ(request.query, "fieldManager=spanway-operator&force=true&dryRun=All");
  ASSERT_TRUE(
      client_->apply(kPipelines, object, {.field_manager = "x", .force = false}, "status").ok());
  EXPECT_EQ(server_->requests().at(1).path,
            "/apis/spanway.dev/v1alpha1/namespaces/ns/pipelines/a/status");
  EXPECT_EQ(server_->requests().at(1).query, "fieldManager=x&force=false");
}

TEST_F(RestClientTest, TheOtherWritesSpeakTheirVerbs) {
  serve([](const ApiRequest&, ApiReply& reply) { reply.answer(200, "{}"); });
  const Json object{{"metadata", {{"name", "a"}, {"namespace", "ns"}}}};
  ASSERT_TRUE(client_->create(kLeases, object).ok());
  ASSERT_TRUE(client_->replace(kLeases, object, {}).ok());
  ASSERT_TRUE(client_->merge_patch(kStatefulSets, kKey, {{"spec", nullptr}}, "scale").ok());
  ASSERT_TRUE(client_->remove(kPods, kKey, "some-uid").ok());
  const auto requests = server_->requests();
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].path, "/apis/coordination.k8s.io/v1/namespaces/ns/leases");
  EXPECT_EQ(requests[1].method, "PUT");
  EXPECT_EQ(requests[1].path, "/apis/coordination.k8s.io/v1/namespaces/ns/leases/a");
  EXPECT_EQ(requests[2].method, "PATCH");
  EXPECT_EQ(requests[2].path, "/apis/apps/v1/namespaces/ns/statefulsets/a/scale");
  EXPECT_EQ(requests[2].header("content-type"), "application/merge-patch+json");
  EXPECT_EQ(requests[2].body, R"({"spec":null})");
  EXPECT_EQ(requests[3].method, "DELETE");
  EXPECT_EQ(requests[3].body,
            R"({"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"some-uid"},)"
            R"("propagationPolicy":"Background"})");
}

TEST_F(RestClientTest, RemovingAMissingObjectSucceeds) {
  serve([](const ApiRequest& request, ApiReply& reply) {
    reply.answer(request.path.find("other") == std::string::npos ? 404 : 409, "{}");
  });
  EXPECT_TRUE(client_->remove(kPods, kKey).ok());
  EXPECT_EQ(client_->remove(kPods, {"ns", "other"}, "uid").error().code, Code::kAborted);
}

TEST_F(RestClientTest, ServesReadsTheGroupsDiscovery) {
  serve([](const ApiRequest& request, ApiReply& reply) {
    if (request.path == "/apis/policy/v1")
      return reply.answer(200, R"({"resources":[{"name":"poddisruptionbudgets"}]})");
    if (request.path == "/api/v1") return reply.answer(200, R"({"resources":[]})");
    if (request.path == "/apis/batch/v1") return reply.answer(503, "{}");
    reply.answer(404, "404 page not found");
  });
  EXPECT_TRUE(*client_->serves(kPodDisruptionBudgets));
  EXPECT_FALSE(*client_->serves(kPods));
  EXPECT_FALSE(*client_->serves(kServiceMonitors));
  EXPECT_EQ(client_->serves(kJobs).error().code, Code::kUnavailable);
}

TEST_F(RestClientTest, AnExpiredTokenIsReadAgain) {
  serve([this](const ApiRequest& request, ApiReply& reply) {
    if (request.header("authorization") == "Bearer second") return reply.answer(200, "{}");
    token_holder_ = "second";  // The kubelet writes the new one.
    reply.answer(401, "{}");
  });
  EXPECT_TRUE(
      client_->create(kPods, Json{{"metadata", {{"name", "a"}, {"namespace", "ns"}}}}).ok());
  EXPECT_EQ(server_->requests().size(), 2U);
  EXPECT_TRUE(client_->get(kPods, kKey).ok());
  EXPECT_EQ(server_->requests().size(), 3U) << "the new one stays";
}

TEST_F(RestClientTest, ARefusedTokenIsTriedOnce) {
  serve([](const ApiRequest&, ApiReply& reply) { reply.answer(401, "{}"); });
  EXPECT_EQ(client_->get(kPods, kKey).error().code, Code::kUnauthenticated);
  EXPECT_EQ(server_->requests().size(), 1U) << "the file still holds the same";
}

TEST_F(RestClientTest, TheTokenIsReadEveryMinute) {
  serve([](const ApiRequest&, ApiReply& reply) { reply.answer(200, "{}"); });
  ASSERT_TRUE(client_->get(kPods, kKey).ok());
  token_holder_ = "second";
  clock_.advance(seconds(59));
  ASSERT_TRUE(client_->get(kPods, kKey).ok());
  clock_.advance(seconds(1));
  ASSERT_TRUE(client_->get(kPods, kKey).ok());
  const auto requests = server_->requests();
  EXPECT_EQ(requests[1].header("authorization"), "Bearer first");
  EXPECT_EQ(requests[2].header("authorization"), "Bearer second");
}

TEST_F(RestClientTest, ADeadKeepAliveConnectionIsReplaced) {
  std::atomic<int> count{0};
  serve([&](const ApiRequest& request, ApiReply& reply) {
    // The first connection takes one request and dies in the second.
    if (request.connection == 1 && count++ == 1) return reply.drop();
    reply.answer(200, "{}");
  });
  ASSERT_TRUE(client_->get(kPods, kKey).ok());
  EXPECT_TRUE(client_->get(kPods, kKey).ok());
  EXPECT_EQ(server_->connections(), 2);
}

TEST_F(RestClientTest, AServerThatAlwaysClosesIsTriedTwiceAtMost) {
  serve([](const ApiRequest&, ApiReply& reply) { reply.drop(); });
  EXPECT_EQ(client_->get(kPods, kKey).error().code, Code::kUnavailable);
  EXPECT_EQ(server_->requests().size(), 2U);
  EXPECT_EQ(
      client_->create(kPods, Json{{"metadata", {{"name", "a"}, {"namespace", "ns"}}}}).error().code,
      Code::kUnavailable);
  EXPECT_EQ(server_->requests().size(), 3U) << "not twice";
}

TEST_F(RestClientTest, AnIncompleteAnswerIsAnError) {
  serve([](const ApiRequest&, ApiReply& reply) {
    reply.raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}");
    reply.drop();
  });
  EXPECT_EQ(client_->get(kPods, kKey).error().code, Code::kUnavailable);
}

TEST_F(RestClientTest, ARefusedConnectionIsUnavailable) {
  serve([](const ApiRequest&, ApiReply&) {});
  server_->stop();
  const auto result = client_->get(kPods, kKey);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::kUnavailable);
  EXPECT_EQ(result.error().refusal, Refusal::kTransient);
  EXPECT_EQ(client_->watch(kPods, {}, {}, [](const WatchEvent&) { return true; }).error().code,
            Code::kUnavailable);
}

TEST_F(RestClientTest, NoAnswerInTime) {
  serve([](const ApiRequest&, ApiReply& reply) { reply.hold(); });
  connect(server_->url(),
          {.request_timeout = milliseconds(100), .list_timeout = milliseconds(100)});
  EXPECT_EQ(client_->get(kPods, kKey).error().code, Code::kDeadlineExceeded);
  EXPECT_EQ(client_->watch(kPods, {}, {}, [](const WatchEvent&) { return true; }).error().code,
            Code::kDeadlineExceeded);
}

TEST_F(RestClientTest, ALogLineNamesTheReconciliationThatMadeTheRequest) {
  std::vector<std::string> lines;
  log_ = telemetry::Logger::create(
      {.level = telemetry::LogLevel::kDebug,
       .write = [&lines](std::string_view line) { lines.emplace_back(line); }});
  serve([](const ApiRequest&, ApiReply& reply) { reply.answer(200, R"({"metadata":{}})"); });
  {
    const ReconcileScope scope(7);
    ASSERT_TRUE(client_->get(kPods, kKey).ok());
  }
  ASSERT_TRUE(client_->get(kPods, kKey).ok());
  std::erase_if(
      lines, [](const std::string& line) { return line.find("API request") == std::string::npos; });
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("reconcile_id=7"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("reconcile_id=0"), std::string::npos) << "made by none: " << lines[1];
}

}  // namespace
}  // namespace spanway::kube
