#include "services/testapp/shop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "services/testapp/otlp_encoder.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::testapp {
namespace {

UnixNanos now_of(const Clock& clock) {
  return static_cast<UnixNanos>(clock.system_now().time_since_epoch().count());
}

std::string key_of(const SpanId& id) { return {id.bytes.data(), id.bytes.size()}; }

std::map<std::string, const Span*> spans_by_id(const Purchase& purchase) {
  std::map<std::string, const Span*> spans;
  for (const ServiceTelemetry& service : purchase.services)
    for (const Span& span : service.spans) spans.emplace(key_of(span.span_id), &span);
  return spans;
}

std::size_t span_count(const Purchase& purchase) {
  std::size_t count = 0;
  for (const ServiceTelemetry& service : purchase.services) count += service.spans.size();
  return count;
}

TEST(Shop, PlaysTheSameStoryForTheSameSeed) {
  fakes::ManualClock clock;
  Shop a(Random(7), 0.5, clock);
  Shop b(Random(7), 0.5, clock);
  Shop other(Random(8), 0.5, clock);
  for (int i = 0; i < 20; ++i) {
    const Purchase first = a.buy();
    const Purchase second = b.buy();
    const Purchase third = other.buy();
    for (const otlp::Signal signal : otlp::kSignals)
      EXPECT_EQ(encode(signal, first.services).payload.view(),
                encode(signal, second.services).payload.view());
    EXPECT_FALSE(first.trace_id == third.trace_id);
    clock.advance(std::chrono::seconds(2));
  }
}

std::vector<const Span*> spans_named(const Purchase& purchase, const std::string& name) {
  std::vector<const Span*> found;
  for (const ServiceTelemetry& service : purchase.services)
    for (const Span& span : service.spans)
      if (span.name == name) found.push_back(&span);
  return found;
}

TEST(Shop, AFaultIsInTheTelemetryOfItsService) {
  fakes::ManualClock clock;
  Shop slow(Random(1), 0, clock, ShopFault::kSlowDatabase);
  Shop repeating(Random(1), 0, clock, ShopFault::kNPlusOne);
  Shop unread(Random(1), 0, clock, ShopFault::kDeadConsumer);
  Shop refusing(Random(1), 0, clock, ShopFault::kFailingPayment);
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    for (const Span* span : spans_named(slow.buy(), "UPDATE stock"))
      EXPECT_GE(span->end - span->start, 400'000'000u);
    EXPECT_EQ(spans_named(repeating.buy(), "HGET").size(), 40u);
    const Purchase purchase = unread.buy();
    EXPECT_EQ(spans_named(purchase, "publish orders").size(), 1u);
    EXPECT_TRUE(spans_named(purchase, "process orders").empty());
    refused += refusing.buy().failed ? 1 : 0;
  }
  EXPECT_GT(refused, 10);
  EXPECT_LT(refused, 40);
}

TEST(Shop, MakesOneWholeTraceOfEveryPurchase) {
  fakes::ManualClock clock;
  Shop shop(Random(1), 0.3, clock);
  for (int i = 0; i < 200; ++i) {
    const Purchase purchase = shop.buy();
    const auto spans = spans_by_id(purchase);
    EXPECT_EQ(spans.size(), span_count(purchase)) << "an id is used twice";
    int roots = 0;
    for (const auto& [id, span] : spans) {
      EXPECT_EQ(span->trace_id, purchase.trace_id);
      EXPECT_LE(span->start, span->end);
      EXPECT_LE(span->end, now_of(clock));
      if (span->parent_id.empty()) {
        ++roots;
        continue;
      }
      const auto parent = spans.find(key_of(span->parent_id));
      ASSERT_NE(parent, spans.end()) << span->name << " has a parent outside its trace";
      EXPECT_GE(span->start, parent->second->start) << span->name;
      // A message is read after its sender has continued.
      if (span->kind != SpanKind::kConsumer) {
        EXPECT_LE(span->end, parent->second->end) << span->name;
      } else {
        EXPECT_GE(span->start, parent->second->end);
        EXPECT_EQ(span->linked_id, span->parent_id);
      }
    }
    EXPECT_EQ(roots, 1);
  }
}

TEST(Shop, PutsEverythingThatHappensInsideItsSpan) {
  fakes::ManualClock clock;
  Shop shop(Random(2), 0.5, clock);
  for (int i = 0; i < 100; ++i) {
    const Purchase purchase = shop.buy();
    const auto spans = spans_by_id(purchase);
    for (const ServiceTelemetry& service : purchase.services) {
      for (const Span& span : service.spans)
        for (const SpanEvent& event : span.events) {
          EXPECT_GE(event.time, span.start);
          EXPECT_LE(event.time, span.end);
        }
      for (const LogRecord& log : service.logs) {
        EXPECT_EQ(log.trace_id, purchase.trace_id);
        const auto span = spans.find(key_of(log.span_id));
        ASSERT_NE(span, spans.end());
        EXPECT_GE(log.time, span->second->start);
      }
      for (const Metric& metric : service.metrics)
        for (const Point& point : metric.points) {
          EXPECT_LE(point.start, point.time);
          for (const Exemplar& exemplar : point.exemplars) EXPECT_FALSE(exemplar.span_id.empty());
        }
    }
  }
}

TEST(Shop, NeverReachesIntoTheFutureNorBeforeThePurchase) {
  fakes::ManualClock clock;
  Shop shop(Random(3), 0, clock);
  const Purchase purchase = shop.buy();
  UnixNanos first = ~UnixNanos{0};
  for (const auto& [id, span] : spans_by_id(purchase)) first = std::min(first, span->start);
  EXPECT_GT(first, now_of(clock) - 5'000'000'000ULL);
}

TEST(Shop, FailsAsOftenAsConfiguredAndSaysSoInSpansAndLogs) {
  fakes::ManualClock clock;
  Shop never(Random(4), 0, clock);
  Shop always(Random(4), 1, clock);
  Shop sometimes(Random(4), 0.25, clock);
  int failed = 0;
  for (int i = 0; i < 400; ++i) {
    EXPECT_FALSE(never.buy().failed);
    failed += sometimes.buy().failed ? 1 : 0;
    const Purchase purchase = always.buy();
    EXPECT_TRUE(purchase.failed);
    int errors = 0, exceptions = 0, error_logs = 0;
    for (const ServiceTelemetry& service : purchase.services) {
      for (const Span& span : service.spans) {
        errors += span.status == SpanStatus::kError ? 1 : 0;
        exceptions += static_cast<int>(span.events.size());
      }
      for (const LogRecord& log : service.logs)
        error_logs += log.severity == Severity::kError ? 1 : 0;
    }
    EXPECT_GE(errors, 3);
    EXPECT_GE(exceptions, 1);
    EXPECT_GE(error_logs, 2);
  }
  EXPECT_NEAR(failed, 100, 35);
}

TEST(Shop, GoesThroughHttpDatabasesMessagingAndMail) {
  fakes::ManualClock clock;
  Shop shop(Random(5), 0, clock);
  const Purchase purchase = shop.buy();
  ASSERT_EQ(purchase.services.size(), kServiceCount);
  std::set<std::string> keys, names;
  std::set<SpanKind> kinds;
  for (const ServiceTelemetry& service : purchase.services) {
    names.insert(std::get<std::string>(service.resource.at(0).second));
    EXPECT_FALSE(service.spans.empty());
    EXPECT_FALSE(service.metrics.empty());
    for (const Span& span : service.spans) {
      kinds.insert(span.kind);
      for (const auto& [key, value] : span.attributes) keys.insert(key);
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"frontend", "cart", "checkout", "inventory", "payment",
                                          "email"}));
  EXPECT_EQ(kinds.size(), 5u);
  for (const char* key : {"http.request.method", "http.response.status_code", "db.system.name",
                          "db.query.text", "rpc.system", "messaging.destination.name"})
    EXPECT_TRUE(keys.contains(key)) << key;
}

}  // namespace
}  // namespace spanway::testapp
