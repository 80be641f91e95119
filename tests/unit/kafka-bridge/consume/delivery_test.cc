#include "services/kafka-bridge/consume/delivery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/base/random.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using fakes::ProtoMessage;
using std::chrono::seconds;

// Records as an ingress with any limits, or a foreign producer, writes them: values nested up to
// the deepest that any reader takes, prefixes and items of any size.
class RandomRecords {
 public:
  explicit RandomRecords(Random& random) : random_(random) {}

  std::string next() {
    std::vector<ProtoMessage> resources;
    for (std::uint64_t n = 1 + below(2); n > 0; --n) {
      std::vector<ProtoMessage> spans;
      for (std::uint64_t i = below(5); i > 0; --i) spans.push_back(span());
      const std::size_t prefix = below(6) == 0 ? (65u << 10) + below(40u << 10) : below(300);
      resources.push_back(
          fakes::otlp_resource(std::string(prefix, 'p'), {fakes::otlp_scope("s", spans)}));
    }
    return fakes::otlp_request(resources).encode(below(2) == 0);
  }
  int spans() const { return spans_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.next_below(bound); }
  ProtoMessage span() {
    std::vector<ProtoMessage> attributes;
    if (below(3) == 0) {
      ProtoMessage value = fakes::otlp_int(1);
      for (std::uint64_t depth = below(44); depth > 0; --depth) value = fakes::otlp_array({value});
      attributes.push_back(fakes::otlp_attribute("deep", value));
    }
    if (below(40) == 0) {
      attributes.push_back(
          fakes::otlp_attribute("large", std::string((901u << 10) + below(1u << 20), 'x')));
    }
    const int number = spans_++;
    const auto id = static_cast<std::uint64_t>(number + 1);
    return fakes::otlp_span(id, id, "span-" + std::to_string(number) + "/", attributes);
  }
  Random& random_;
  int spans_ = 0;
};

// P1: whatever limits let an item in, and whatever the destination refuses, each item is delivered
// or lies in a dead letter before its offset is committed; none is in both.
TEST(Delivery, EveryItemReadIsDeliveredOrDeadLetteredUnderAnyLimitsAndRefusals) {
  const std::uint64_t bugs = bug_count();
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    LaneFixture fixture;
    Random random(seed);
    fixture.options.merge.items_max = 1 + random.next_below(60);
    fixture.options.max_in_flight = 1 + random.next_below(8);
    fixture.begin();
    RandomRecords records(random);
    std::vector<std::string> log;
    for (int i = 0; i < 40; ++i) log.push_back(records.next());
    const std::uint64_t bad_one_in = 2 + random.next_below(20);
    std::set<std::string> bad;
    for (int i = 0; i < records.spans(); ++i) {
      if (random.next_below(bad_one_in) == 0) bad.insert("span-" + std::to_string(i));
    }
    fixture.destination([&](const std::vector<std::string>& names) -> Status {
      if (random.next_below(12) == 0) return busy();
      const bool any_bad = std::any_of(names.begin(), names.end(),
                                       [&](const auto& name) { return bad.count(name) > 0; });
      return any_bad ? Status(bad_data()) : ok_status();
    });
    std::size_t at = 0;
    const auto end = static_cast<std::int64_t>(log.size());
    for (int step = 0; step < 5000 && fixture.lane->state().committed < end; ++step) {
      while (at < log.size() && fixture.take(static_cast<std::int64_t>(at), log[at])) ++at;
      fixture.executor.advance(seconds(1));
      fixture.commit();
    }
    EXPECT_EQ(fixture.lane->state().committed, end);
    std::multiset<std::string> ended(fixture.received.begin(), fixture.received.end());
    for (const DeadLetter& letter : fixture.letters.letters) {
      if (letter.cause == DeadLetterCause::kUndecodable) continue;  // An empty resource.
      const auto names = span_names(letter.payload.view());
      ended.insert(names.begin(), names.end());
    }
    EXPECT_EQ(ended.size(), static_cast<std::size_t>(records.spans()));
    EXPECT_EQ(std::set<std::string>(ended.begin(), ended.end()).size(), ended.size())
        << "an item ended twice";
    for (const std::string& name : fixture.received) EXPECT_EQ(bad.count(name), 0u);
    EXPECT_EQ(fixture.budget.used(), 0u);
  }
  EXPECT_EQ(bug_count(), bugs) << last_bug_site();
}

}  // namespace
}  // namespace spanway::kafka_bridge
