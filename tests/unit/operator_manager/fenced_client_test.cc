#include "operator/manager/fenced_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "services/lib/base/thread.h"
#include "tests/fakes/client_link.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::manager {
namespace {

class FencedClientTest : public testing::Test {
 protected:
  static kube::Json service() {
    return {{"metadata", {{"name", "s"}, {"namespace", "team"}}}, {"spec", {{"a", 1}}}};
  }
  // Each write once; the errors.
  std::vector<std::string> write_all() {
    const kube::ObjectKey key{"team", "s"};
    std::vector<std::string> reasons;
    const auto take = [&reasons](const Status& status) {
      reasons.push_back(status.ok() ? "" : status.error().reason);
      if (!status.ok()) {
        EXPECT_EQ(status.error().refusal, Refusal::kTransient);
      }
    };
    const auto take_result = [&take](const Result<kube::Json>& result) {
      take(result.ok() ? Status() : Status(result.error()));
    };
    take_result(client_.create(kube::kServices, service()));
    take_result(client_.apply(kube::kServices, service(), {}));
    take_result(client_.replace(kube::kServices, service()));
    take_result(client_.merge_patch(kube::kServices, key, {{"spec", {{"a", 2}}}}));
    take(client_.remove(kube::kServices, key));
    return reasons;
  }

  fakes::ManualClock clock_;
  fakes::FakeKube kube_{clock_};
  std::atomic<bool> leading_{true};
  FencedClient client_{kube_, [this] { return leading_.load(); }};
};

using Reasons = std::vector<std::string>;
const Reasons kAllRefused(5, "not_leading");
const Reasons kAllDone(5, "");

TEST_F(FencedClientTest, NoneWritesBeforeItIsOpen) {
  EXPECT_EQ(write_all(), kAllRefused);
  EXPECT_EQ(kube_.write_count(), 0u);
}

TEST_F(FencedClientTest, ALeaderWrites) {
  client_.open();
  EXPECT_EQ(write_all(), kAllDone);
  EXPECT_EQ(kube_.write_count(), 5u);
}

TEST_F(FencedClientTest, EachWriteRequestsAnew) {
  client_.open();
  leading_ = false;
  EXPECT_EQ(write_all(), kAllRefused);
  leading_ = true;
  EXPECT_EQ(write_all(), kAllDone);
  client_.close();
  EXPECT_EQ(write_all(), kAllRefused) << "closed, whatever the Lease says";
  EXPECT_EQ(kube_.write_count(), 5u);
}

TEST_F(FencedClientTest, ReadingIsAlwaysAllowed) {
  kube_.put(kube::kServices, service());
  EXPECT_TRUE(client_.get(kube::kServices, {"team", "s"}).ok());
  EXPECT_EQ(client_.list(kube::kServices, {})->items.size(), 1u);
  EXPECT_TRUE(*client_.serves(kube::kServices));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(client_.watch(kube::kServices, {}, stop.get_token(), nullptr).error().code,
            Code::kCancelled);
}

TEST(FencedClient, ClosingWaitsForTheWriteUnderWay) {
  fakes::ManualClock clock;
  fakes::FakeKube kube(clock);
  std::latch sent(1);
  std::latch may_end(1);
  fakes::ClientLink link(kube, [&](std::string_view, const kube::ResourceType&) {
    sent.count_down();
    may_end.wait();
    return Status();
  });
  FencedClient client(link, [] { return true; });
  client.open();
  std::atomic<bool> written{false};
  const std::jthread writer = start_thread("writer", [&](const std::stop_token&) {
    const kube::Json object = {{"metadata", {{"name", "s"}, {"namespace", "team"}}}};
    EXPECT_TRUE(client.apply(kube::kServices, object, {}).ok());
    written = true;
  });
  sent.wait();
  std::jthread closer = start_thread("closer", [&](const std::stop_token&) {
    client.close();
    EXPECT_EQ(kube.write_count(), 1u);
  });
  may_end.count_down();
  closer.join();
  EXPECT_STREQ(client.remove(kube::kServices, {"team", "s"}).error().reason, "not_leading");
}

}  // namespace
}  // namespace spanway::manager
