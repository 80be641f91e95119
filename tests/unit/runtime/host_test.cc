#include "services/lib/runtime/host.h"

#include <gtest/gtest.h>

#include "tests/unit/runtime/fake_service.h"

namespace spanway::runtime {
namespace {

using Lines = std::vector<std::string>;

class HostTest : public testing::Test {
 protected:
  FakeService& add(Host& host, const std::string& name) {
    auto service = std::make_unique<FakeService>(name, journal_);
    FakeService& borrowed = *service;
    host.add(name, std::move(service));
    return borrowed;
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  Journal journal_;
};

TEST_F(HostTest, StartsInOrderAndStopsSourcesFirst) {
  {
    Host host(telemetry_);
    add(host, "sink");
    add(host, "source");
    ASSERT_TRUE(host.start().ok());
    host.stop_accepting();
    EXPECT_TRUE(host.drain(Deadline::never()));
  }
  EXPECT_EQ(journal_.lines(),
            (Lines{"sink start", "source start", "source stop", "source stop", "source drain",
                   "sink stop", "sink drain", "source destroyed", "sink destroyed"}));
}

TEST_F(HostTest, EveryServiceShedsLoad) {
  Host host(telemetry_);
  add(host, "sink");
  add(host, "source");
  host.shed_load();
  EXPECT_EQ(journal_.lines(), (Lines{"sink shed", "source shed"}));
}

TEST_F(HostTest, FailedStartStopsWhatWasStarted) {
  Host host(telemetry_);
  add(host, "a");
  add(host, "b");
  add(host, "c").fail_start = true;
  add(host, "d");
  const Status status = host.start();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "c: no port");
  EXPECT_EQ(journal_.lines(),
            (Lines{"a start", "b start", "c start", "b stop", "b drain", "a stop", "a drain"}));
  EXPECT_FALSE(host.readiness().ready);
}

TEST_F(HostTest, IncompleteDrainStillDrainsTheRest) {
  Host host(telemetry_);
  add(host, "sink");
  add(host, "source").drains = false;
  ASSERT_TRUE(host.start().ok());
  EXPECT_FALSE(host.drain(Deadline::never()));
  EXPECT_EQ(journal_.lines().back(), "sink drain");
}

TEST_F(HostTest, IsReadyWhenAllPartsAre) {
  Host host(telemetry_);
  FakeService& a = add(host, "a");
  FakeService& b = add(host, "b");
  EXPECT_EQ(host.readiness().reason, "starting");
  ASSERT_TRUE(host.start().ok());
  EXPECT_TRUE(host.readiness().ready);
  a.ready = false;
  EXPECT_FALSE(host.readiness().ready);
  EXPECT_EQ(host.readiness().reason, "a: waiting for Kafka");
  a.ready = true;
  a.limit = "degraded: zipkin";
  EXPECT_TRUE(host.readiness().ready);
  EXPECT_EQ(host.readiness().reason, "a: degraded: zipkin");
  b.limit = "degraded: file";
  EXPECT_EQ(host.readiness().reason, "a: degraded: zipkin; b: degraded: file");
  host.begin_shutdown();
  EXPECT_FALSE(host.readiness().ready);
  EXPECT_EQ(host.readiness().reason, "shutting down");
}

TEST_F(HostTest, StatusIsTheServicesOwnOrOneObjectPerPart) {
  Host host(telemetry_);
  EXPECT_EQ(host.status_json(), "{}");
  add(host, "a");
  EXPECT_EQ(host.status_json(), R"({"ready":true,"reason":"","mode":"a"})");
  add(host, "b");
  EXPECT_EQ(
      host.status_json(),
      R"({"a":{"ready":true,"reason":"","mode":"a"},"b":{"ready":true,"reason":"","mode":"b"}})");
}

TEST_F(HostTest, ReportsWhichPartIsBroken) {
  Host host(telemetry_);
  add(host, "a");
  FakeService& b = add(host, "b");
  EXPECT_TRUE(host.fatal().ok());
  b.broken = true;
  const Status fatal = host.fatal();
  ASSERT_FALSE(fatal.ok());
  EXPECT_EQ(fatal.error().message, "b: fenced");
}

TEST_F(HostTest, MayBeStoppedTwiceAndWithoutAStart) {
  Host host(telemetry_);
  add(host, "a");
  host.stop_accepting();
  EXPECT_TRUE(host.drain(Deadline::never()));
  EXPECT_TRUE(host.drain(Deadline::never()));
}

}  // namespace
}  // namespace spanway::runtime
