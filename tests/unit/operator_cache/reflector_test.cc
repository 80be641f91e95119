#include "operator/cache/reflector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <latch>

#include "operator/k8s/rest_client.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/scripted_api_server.h"

namespace spanway::kube {
namespace {

using fakes::ApiReply;
using fakes::ApiRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string pod(const std::string& name, const std::string& version) {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"ns","uid":"u","resourceVersion":")" +
         version + R"("}})";
}
std::string list_of(const std::string& version, const std::vector<std::string>& objects) {
  std::string items;
  for (const auto& text : objects) items += (items.empty() ? "" : ",") + text;
  return R"({"metadata":{"resourceVersion":")" + version + R"("},"items":[)" + items + "]}";
}
std::string event(const std::string& type, const std::string& text) {
  return R"({"type":")" + type + R"(","object":)" + text + "}\n";
}
std::string error_event(int code, const std::string& reason) {
  return event("ERROR", R"({"kind":"Status","code":)" + std::to_string(code) + R"(,"reason":")" +
                            reason + "\"}");
}

// A reflector over real HTTP; each request takes the next line of the script.
class ReflectorTest : public testing::Test {
 protected:
  using Act = std::function<void(const ApiRequest&, ApiReply&)>;

  ReflectorTest() {
    config::Sources sources;
    sources.read_file = [this](const std::string&) -> std::optional<std::string> {
      MutexLock lock(mutex_);
      return token_;
    };
    CredentialSources credentials;
    credentials.token_file = "/token";
    auto access = Access::create({.server = server_.url(),
                                  .name_space = {},
                                  .tls_server_name = {},
                                  .insecure_skip_tls_verify = false},
                                 credentials, sources, clock_);
    access_ = std::move(access).value();
    client_ = std::move(RestClient::create(*access_, clock_, telemetry_)).value();
    reflector_ = std::make_unique<Reflector>(
        ReflectorOptions{.type = kPods, .name_space = "ns", .label_selector = "a=b"}, *client_,
        store_,
        [this](const ObjectKey& owner) {
          MutexLock lock(mutex_);
          notified_.push_back(owner.name);
        },
        clock_, Random(1), telemetry_);
  }
  ~ReflectorTest() override { server_.stop(); }

  ReflectorTest& then(Act act) {
    MutexLock lock(mutex_);
    script_.push_back(std::move(act));
    return *this;
  }
  ReflectorTest& then_answer(int status, const std::string& body,
                             const ApiReply::Headers& headers = {}) {
    return then([=](const ApiRequest&, ApiReply& reply) { reply.answer(status, body, headers); });
  }
  // A watch of these events that ends well.
  ReflectorTest& then_stream(const std::string& text) {
    return then([=](const ApiRequest&, ApiReply& reply) {
      reply.start_stream();
      if (!text.empty()) reply.chunk(text);
      reply.end_stream();
    });
  }
  Duration step() {
    const auto waited = std::make_shared<std::promise<Duration>>();
    reflector_->step([waited](Duration wait) { waited->set_value(wait); });
    return waited->get_future().get();
  }
  void step_at_once() { EXPECT_EQ(step(), Duration::zero()); }
  std::string query(std::size_t index) { return server_.requests().at(index).query; }
  std::vector<std::string> notified() {
    MutexLock lock(mutex_);
    return std::exchange(notified_, {});
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& key : store_.keys()) all.push_back(key.name);
    return all;
  }

  void play(const ApiRequest& request, ApiReply& reply) {
    Act act;
    {
      MutexLock lock(mutex_);
      if (!script_.empty()) {
        act = std::move(script_.front());
        script_.pop_front();
      }
    }
    if (act) return act(request, reply);
    reply.answer(500, R"({"message":"the script is over"})");
  }

  Mutex mutex_;
  std::string token_ = "first";
  std::deque<Act> script_;
  std::vector<std::string> notified_;
  fakes::ManualClock clock_;
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  fakes::ScriptedApiServer server_{
      [this](const ApiRequest& request, ApiReply& reply) { play(request, reply); }};
  std::unique_ptr<Access> access_;
  std::unique_ptr<RestClient> client_;
  Store store_{without_bookkeeping};
  std::unique_ptr<Reflector> reflector_;
};

TEST_F(ReflectorTest, ListsFromTheCacheThenWatchesFromThere) {
  then_answer(200, list_of("10", {pod("a", "1"), pod("b", "2")}));
  then_stream(event("ADDED", pod("c", "11")) + event("MODIFIED", pod("a", "12")) +
              event("DELETED", pod("b", "13")) +
              event("BOOKMARK", R"({"metadata":{"resourceVersion":"20"}})"));
  then_stream(event("BOOKMARK", R"({"metadata":{"resourceVersion":"30"}})"));
  EXPECT_FALSE(reflector_->synced());
  step_at_once();
  EXPECT_TRUE(reflector_->synced());
  EXPECT_THAT(notified(), ElementsAre("a", "b"));
  step_at_once();
  EXPECT_THAT(notified(), ElementsAre("c", "a", "b"));
  EXPECT_THAT(names(), ElementsAre("a", "c"));
  step_at_once();
  EXPECT_THAT(notified(), IsEmpty());
  EXPECT_THAT(query(0), HasSubstr("resourceVersion=0"));
  EXPECT_THAT(query(0), HasSubstr("labelSelector=a%3Db"));
  EXPECT_THAT(query(1), HasSubstr("&resourceVersion=10&"));
  EXPECT_THAT(query(2), HasSubstr("&resourceVersion=20&")) << "the bookmark counts";
  EXPECT_EQ(reflector_->failures(), 0U);
  EXPECT_EQ(metrics_.value("spanway_kubernetes_cache_objects", {{"resource", "pods"}}), 2);
}

TEST_F(ReflectorTest, SplitEventsAreJoined) {
  then_answer(200, list_of("10", {}));
  then([](const ApiRequest&, ApiReply& reply) {
    const std::string text = event("ADDED", pod("a", "11")) + event("ADDED", pod("b", "12"));
    reply.start_stream();
    for (std::size_t at = 0; at < text.size(); at += 7) reply.chunk(text.substr(at, 7));
    reply.end_stream();
  });
  step_at_once();
  step_at_once();
  EXPECT_THAT(names(), ElementsAre("a", "b"));
}

TEST_F(ReflectorTest, AnExpiredWatchListsAgainAtOnceAndFindsDeletions) {
  then_answer(200, list_of("10", {pod("a", "1"), pod("b", "2")}));
  then_answer(410, R"({"reason":"Expired","code":410})");
  then_answer(200, list_of("50", {pod("a", "1")}));
  then_stream(event("ADDED", pod("c", "51")));
  step_at_once();
  notified();
  step_at_once();
  step_at_once();
  EXPECT_THAT(notified(), ElementsAre("b")) << "its deletion was missed";
  EXPECT_THAT(query(2), HasSubstr("resourceVersion=10")) << "at least as new as what is known";
  step_at_once();
  EXPECT_THAT(query(3), HasSubstr("resourceVersion=50"));
  EXPECT_EQ(reflector_->failures(), 0U);
}

TEST_F(ReflectorTest, AnExpiredListIsRepeatedFromTheQuorumAtOnce) {
  then_answer(200, list_of("10", {}));
  then_stream(event("ADDED", pod("a", "11")) + error_event(410, "Expired"));
  then_answer(410, R"({"reason":"Expired","code":410})");
  then_answer(200, list_of("90", {pod("z", "80")}));
  step_at_once();
  step_at_once();
  step_at_once();
  EXPECT_THAT(query(2), HasSubstr("resourceVersion=11"));
  EXPECT_THAT(query(3), Not(HasSubstr("resourceVersion")));
  EXPECT_THAT(names(), ElementsAre("z"));
}

TEST_F(ReflectorTest, AVersionAheadOfTheServersCacheIsListedFromTheQuorum) {
  then_answer(504, R"({"code":504,"message":"Too large resource version: 11, current: 3"})");
  then_answer(200, list_of("9", {pod("a", "1")}));
  step_at_once();
  EXPECT_THAT(query(1), Not(HasSubstr("resourceVersion")));
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(ReflectorTest, AServerThatReportsEverythingAsExpiredIsRetriedWithBackOff) {
  for (int i = 0; i < 2; ++i) {
    then_answer(200, list_of("10", {}));
    then_answer(410, "{}");
  }
  step_at_once();
  step_at_once();
  step_at_once();
  EXPECT_GE(step(), milliseconds(400));
}

TEST_F(ReflectorTest, TooManyRequestsWaitForRetryAfterAndResume) {
  then_answer(200, list_of("10", {}));
  then_answer(429, "{}", {{"Retry-After", "17"}});
  then_stream(event("ADDED", pod("a", "11")));
  step_at_once();
  EXPECT_EQ(step(), seconds(17));
  step_at_once();
  EXPECT_THAT(query(2), HasSubstr("watch=1"));
  EXPECT_THAT(query(2), HasSubstr("&resourceVersion=10&"));
  EXPECT_EQ(reflector_->failures(), 1U);
  EXPECT_EQ(metrics_.value("spanway_kubernetes_cache_failures_total", {{"resource", "pods"}}), 1);
}

TEST_F(ReflectorTest, ALostConnectionKeepsTheStoreAndResumes) {
  then_answer(200, list_of("10", {pod("a", "1")}));
  then([](const ApiRequest&, ApiReply& reply) {
    reply.start_stream();
    reply.chunk(event("ADDED", pod("b", "11")) + "{\"type\":\"ADD");
    reply.drop();
  });
  then_stream(event("ADDED", pod("c", "12")));
  step_at_once();
  EXPECT_GE(step(), milliseconds(400));
  EXPECT_THAT(names(), ElementsAre("a", "b"));
  step_at_once();
  EXPECT_THAT(query(2), HasSubstr("&resourceVersion=11&"));
  EXPECT_THAT(names(), ElementsAre("a", "b", "c"));
}

TEST_F(ReflectorTest, AnExpiredTokenIsReadAgainWithoutAFailure) {
  then_answer(200, list_of("10", {}));
  then([this](const ApiRequest&, ApiReply& reply) {
    {
      MutexLock lock(mutex_);
      token_ = "second";
    }
    reply.answer(401, "{}");
  });
  then_stream(event("ADDED", pod("a", "11")));
  step_at_once();
  step_at_once();
  EXPECT_THAT(names(), ElementsAre("a"));
  EXPECT_EQ(server_.requests().at(2).header("authorization"), "Bearer second");
  EXPECT_EQ(reflector_->failures(), 0U);
}

TEST_F(ReflectorTest, AnEventThatCannotBeReadListsAgain) {
  then_answer(200, list_of("10", {}));
  then_stream("nonsense\n");
  then_answer(200, list_of("20", {pod("a", "15")}));
  step_at_once();
  EXPECT_GT(step(), Duration::zero());
  step_at_once();
  EXPECT_THAT(query(2), Not(HasSubstr("watch")));
  EXPECT_THAT(names(), ElementsAre("a"));
}

TEST_F(ReflectorTest, MissingRightsBackOff) {
  for (int i = 0; i < 3; ++i) then_answer(403, R"({"reason":"Forbidden"})");
  then_answer(200, list_of("10", {}));
  const Duration first = step();
  step();
  const Duration third = step();
  EXPECT_GE(first, milliseconds(400));
  EXPECT_LE(first, milliseconds(800));
  EXPECT_GE(third, milliseconds(1600));
  EXPECT_FALSE(reflector_->synced());
  step_at_once();
  EXPECT_TRUE(reflector_->synced());
}

TEST_F(ReflectorTest, BackOffIsCappedAt30sAndResetAfterTwoMinutes) {
  Duration last{};
  for (int i = 0; i < 20; ++i) last = step();
  EXPECT_LE(last, seconds(30));
  EXPECT_GE(last, seconds(15));
  clock_.advance(std::chrono::minutes(2));
  EXPECT_LE(step(), milliseconds(800));
}

TEST_F(ReflectorTest, AWatchThatEndsAtOnceWithoutEventsIsAFailure) {
  then_answer(200, list_of("10", {}));
  then_stream("");
  then([this](const ApiRequest&, ApiReply& reply) {
    clock_.advance(seconds(300));
    reply.start_stream();
    reply.end_stream();
  });
  step_at_once();
  EXPECT_GT(step(), Duration::zero());
  step_at_once();
  EXPECT_EQ(reflector_->failures(), 1U);
}

TEST_F(ReflectorTest, WatchesLastBetweenFiveAndTenMinutes) {
  then_answer(200, list_of("10", {}));
  for (int i = 0; i < 20; ++i) then_stream(event("ADDED", pod("a", std::to_string(20 + i))));
  for (int i = 0; i < 21; ++i) step_at_once();
  std::set<int> all;
  for (std::size_t i = 1; i < 21; ++i) {
    const std::string text = query(i);
    all.insert(std::stoi(text.substr(text.find("timeoutSeconds=") + 15)));
  }
  EXPECT_GE(*all.begin(), 300);
  EXPECT_LT(*all.rbegin(), 600);
  EXPECT_GT(all.size(), 10U) << "not all at the same time";
}

TEST_F(ReflectorTest, DebugLinesFollowListsWatchesBookmarksAndBackOffs) {
  Mutex mutex;
  std::string lines;
  const auto log = telemetry::Logger::create(
      {.level = telemetry::LogLevel::kDebug, .write = [&](std::string_view line) {
         MutexLock lock(mutex);
         lines.append(line).append("\n");
       }});
  reflector_ = std::make_unique<Reflector>(
      ReflectorOptions{.type = kPods, .name_space = "ns", .label_selector = {}}, *client_, store_,
      [](const ObjectKey&) {}, clock_, Random(1), telemetry::Telemetry{log, metrics_});
  then_answer(200, list_of("10", {pod("a", "1")}));
  then_stream(event("BOOKMARK", R"({"metadata":{"resourceVersion":"20"}})"));
  then_answer(410, R"({"reason":"Expired","code":410})");
  then_answer(429, "{}", {{"Retry-After", "17"}});
  for (int i = 0; i < 4; ++i) step();
  reflector_.reset();
  MutexLock lock(mutex);
  for (const char* expected :
       {"Listed resource=pods namespace=ns resource_version=10 objects=1",
        "Watching resource=pods namespace=ns resource_version=10",
        "Bookmark resource=pods namespace=ns resource_version=20",
        "Watching resource=pods namespace=ns resource_version=20", "Expired",
        "Backing off resource=pods namespace=ns step=list relist=true retry_in_ms=17000"})
    EXPECT_THAT(lines, HasSubstr(expected));
}

TEST_F(ReflectorTest, StopsInTheMiddleOfAWatch) {
  std::latch watching(1);
  then_answer(200, list_of("10", {pod("a", "1")}));
  then([&](const ApiRequest&, ApiReply& reply) {
    reply.start_stream();
    watching.count_down();
    reply.hold();
  });
  step_at_once();
  std::promise<Duration> waited;
  reflector_->step([&](Duration wait) { waited.set_value(wait); });
  watching.wait();
  reflector_->stop();
  EXPECT_EQ(waited.get_future().get(), Duration::zero());
  EXPECT_TRUE(reflector_->synced());
  EXPECT_EQ(reflector_->failures(), 0U) << "being stopped is no failure";
  reflector_.reset();
}

}  // namespace
}  // namespace spanway::kube
