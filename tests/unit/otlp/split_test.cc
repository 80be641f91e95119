#include "services/lib/otlp/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/lib/base/random.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/otlp/flat_request.h"

namespace spanway::otlp {
namespace {

using namespace spanway::fakes;

// A request and its index; must scan.
struct Source {
  Source(Signal signal_of, std::string bytes, ScanLimits limits = {})
      : payload(std::move(bytes)), scanner(limits) {
    EXPECT_TRUE(scanner.scan(signal_of, payload).ok());
  }
  const Index& index() const { return scanner.index(); }
  std::vector<Part> split(const SplitOptions& options) const {
    std::vector<Part> parts = otlp::split(index(), payload, options);
    std::size_t bytes = 0;
    for (const Part& part : parts) bytes += part.payload.size();
    EXPECT_EQ(bytes, split_bytes(index(), payload, options));
    return parts;
  }
  bool is_single(const SplitOptions& options) const {
    std::int32_t partition = -1;
    return is_single_part(index(), payload, options, partition);
  }

  std::string payload;
  Scanner scanner;
};

std::string joined(const std::vector<Part>& parts) {
  std::string all;
  for (const Part& part : parts) all += part.payload.view();
  return all;
}

std::vector<ProtoMessage> points(int count) {
  std::vector<ProtoMessage> out;
  for (int i = 0; i < count; ++i) out.push_back(otlp_number_point(i, {otlp_attribute("k", "v")}));
  return out;
}

// --- Random requests ---

class RandomRequest {
 public:
  RandomRequest(std::uint64_t seed, Signal signal) : random_(seed), signal_(signal) {}

  std::string encode() {
    ProtoMessage request;
    for (std::uint64_t n = below(4); n > 0; --n) request.message(1, resource());
    if (below(4) == 0) request.bytes(9, text(12));
    return request.encode(below(2) == 0);
  }
  bool has_faults() const { return faults_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.next_below(bound); }
  std::string text(std::uint64_t size_max) {
    std::string out;
    for (std::uint64_t n = below(size_max + 1); n > 0; --n)
      out += below(8) == 0 ? "\xc3\xa4" : std::string(1, static_cast<char>('a' + below(26)));
    return out;
  }
  bool fault() {
    const bool yes = below(20) == 0;
    faults_ |= yes;
    return yes;
  }
  ProtoMessage value(int depth) {
    switch (below(depth > 3 ? 3 : 5)) {
      case 0:
        return otlp_string(text(40));
      case 1:
        return otlp_int(static_cast<std::int64_t>(random_.next()));
      case 2:
        return ProtoMessage();
      case 3:
        return otlp_array({value(depth + 1), value(depth + 1)});
      default:
        return otlp_kvlist({otlp_attribute(text(5), value(depth + 1))});
    }
  }
  std::vector<ProtoMessage> attributes() {
    std::vector<ProtoMessage> out;
    for (std::uint64_t n = below(4); n > 0; --n) out.push_back(otlp_attribute(text(9), value(0)));
    return out;
  }
  ProtoMessage span() {
    ProtoMessage out =
        otlp_span(below(12) + 1, random_.next() | 1, fault() ? "\xff" : text(20), attributes());
    if (below(3) == 0) out.message(11, ProtoMessage().bytes(2, text(9)));
    if (below(5) == 0) out.bytes(40, text(9));
    if (fault()) out.bytes(1, "short");
    return out;
  }
  ProtoMessage record() {
    const bool in_trace = below(2) == 0;
    return otlp_log_record(fault() ? "\xff" : text(60), in_trace ? otlp_trace_id(below(12)) : "",
                           "", attributes());
  }
  ProtoMessage metric() {
    constexpr MetricKind kinds[] = {MetricKind::kGauge, MetricKind::kSum, MetricKind::kHistogram,
                                    MetricKind::kExponentialHistogram, MetricKind::kSummary};
    const MetricKind kind = kinds[below(5)];
    std::vector<ProtoMessage> all;
    for (std::uint64_t n = below(30); n > 0; --n)
      all.push_back(ProtoMessage().fixed64(3, random_.next()).bytes(90, text(20)));
    ProtoMessage out = otlp_metric(fault() ? "\xff" : text(12), kind, all);
    if (below(6) == 0) out.message(static_cast<std::uint32_t>(kinds[below(5)]), ProtoMessage());
    if (below(4) == 0) out.bytes(88, text(9));
    return out;
  }
  ProtoMessage item() {
    switch (signal_) {
      case Signal::kTraces:
        return span();
      case Signal::kMetrics:
        return metric();
      case Signal::kLogs:
        return record();
    }
    return {};
  }
  ProtoMessage scope() {
    std::vector<ProtoMessage> items;
    for (std::uint64_t n = below(9); n > 0; --n) items.push_back(item());
    ProtoMessage out = otlp_scope(fault() ? "\xff" : text(9), items);
    if (below(3) == 0) out.bytes(3, text(20));
    return out;
  }
  ProtoMessage resource() {
    std::vector<ProtoMessage> scopes;
    for (std::uint64_t n = below(4); n > 0; --n) scopes.push_back(scope());
    ProtoMessage out = otlp_resource(text(12), scopes);
    if (below(4) == 0) out.message(1, ProtoMessage().message(1, otlp_attribute("more", text(9))));
    if (below(4) == 0) out.varint(55, 5);
    return out;
  }

  Random random_;
  Signal signal_;
  bool faults_ = false;
};

// The invariants of every split: nothing lost, nothing twice, everything in its place.
void check_parts(const Source& source, const SplitOptions& options) {
  const Signal signal = source.index().signal;
  const std::vector<Part> parts = source.split(options);
  const Bytes accepted = without_rejected(source.index(), source.payload);
  ASSERT_EQ(flatten_sorted(signal, joined(parts)), flatten_sorted(signal, accepted.view()));
  std::uint64_t count = 0;
  std::map<std::string, std::int32_t> partition_of_trace;
  for (const Part& part : parts) {
    count += part.item_count;
    EXPECT_FALSE(part.payload.empty());
    const Source again(signal, std::string(part.payload.view()), source.scanner.limits());
    EXPECT_EQ(again.index().accepted, part.item_count);
    EXPECT_EQ(again.index().rejected, 0u);
    EXPECT_LE(part.payload.size(), options.part_bytes_max);
    std::set<std::string> traces;
    for (const Item& item : again.index().items) {
      EXPECT_EQ(partition_of(item.placement_hash, options.partition_count), part.partition);
      char hex[kTraceIdHexChars] = {};
      if (item.trace_id_offset != 0)
        write_trace_id_hex(part.payload.data() + item.trace_id_offset, hex);
      traces.insert(item.trace_id_offset == 0 ? "" : std::string(hex, kTraceIdHexChars));
    }
    for (const std::string& trace : traces) {
      if (trace.empty()) continue;
      EXPECT_EQ(partition_of_trace.emplace(trace, part.partition).first->second, part.partition);
    }
    if (options.by_trace) {
      EXPECT_EQ(traces.size(), 1u);
      EXPECT_EQ(part.trace_id_hex, *traces.begin());
    } else {
      EXPECT_STREQ(part.trace_id_hex, "");
    }
  }
  EXPECT_EQ(count, source.index().accepted);
}

TEST(SplitProperty, PartsAddUpToTheAcceptedItems) {
  bool any_faults = false;
  std::size_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const Signal signal = kSignals[seed % 3];
    RandomRequest request(seed, signal);
    const ScanLimits limits{.prefix_bytes_max = 300, .item_bytes_max = 900};
    const Source source(signal, request.encode(), limits);
    SCOPED_TRACE("seed " + std::to_string(seed));
    any_faults |= request.has_faults() && source.index().rejected > 0;
    for (const std::int32_t partitions : {1, 3, 12}) {
      for (const bool by_trace : {false, true}) {
        const SplitOptions options{
            .partition_count = partitions, .part_bytes_max = 900, .by_trace = by_trace};
        check_parts(source, options);
        cuts += source.split(options).size() > 1 ? 1u : 0u;
      }
    }
    if (HasFailure()) return;
  }
  EXPECT_TRUE(any_faults);
  EXPECT_GT(cuts, 300u);
}

TEST(SplitProperty, HalvesAddUpAndNoHalfIsAll) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const Signal signal = kSignals[seed % 3];
    const Source source(signal, RandomRequest(seed, signal).encode());
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Bytes accepted = without_rejected(source.index(), source.payload);
    const auto [first, second] = halve(source.index(), source.payload);
    const std::string both = std::string(first.payload.view()) + std::string(second.payload.view());
    ASSERT_EQ(flatten(signal, both), flatten(signal, accepted.view()));
    const std::size_t pieces = flatten(signal, accepted.view()).size();
    EXPECT_EQ(first.item_count + second.item_count, pieces);
    EXPECT_EQ(second.payload.empty(), pieces <= 1);
  }
}

// --- Single cases ---

TEST(Split, SpansOfOneTraceShareAPartitionWithJava) {
  std::vector<ProtoMessage> spans;
  for (std::uint64_t i = 0; i < 60; ++i) spans.push_back(otlp_span(i % 20 + 1, i + 1));
  const Source source(Signal::kTraces, otlp_request_of(spans));
  std::set<std::int32_t> partitions;
  for (const Part& part : source.split({.partition_count = 6})) {
    EXPECT_TRUE(partitions.insert(part.partition).second) << "one part per partition";
    EXPECT_EQ(part.item_count % 3, 0u);
  }
  EXPECT_GT(partitions.size(), 3u);
  // DefaultPartitioner of the Java client for the key "00000000000000000000000000000001".
  EXPECT_EQ(partition_of(murmur2("00000000000000000000000000000001") & 0x7fffffff, 6),
            partition_of(source.index().items[0].placement_hash, 6));
}

TEST(Split, KeepsOrderInsideAPartition) {
  std::vector<ProtoMessage> records;
  for (int i = 0; i < 50; ++i) records.push_back(otlp_log_record("record " + std::to_string(i)));
  const Source source(Signal::kLogs, otlp_request_of(records));
  const std::vector<Part> parts = source.split({.partition_count = 4, .part_bytes_max = 300});
  EXPECT_GT(parts.size(), 5u);
  EXPECT_EQ(flatten(Signal::kLogs, joined(parts)), flatten(Signal::kLogs, source.payload));
}

TEST(Split, PartsFillTheirLimitToTheByte) {
  const std::vector<ProtoMessage> four(4, otlp_span(1, 1));
  const std::size_t four_bytes = otlp_request_of(four).size();
  const Source source(Signal::kTraces,
                      otlp_request_of(std::vector<ProtoMessage>(8, otlp_span(1, 1))));
  EXPECT_EQ(source.split({.part_bytes_max = four_bytes}).size(), 2u);
  EXPECT_EQ(source.split({.part_bytes_max = four_bytes - 1}).size(), 3u);
}

TEST(Split, LeavesOutRejectedItemsAndWhatThenIsEmpty) {
  const ProtoMessage bad = otlp_span(0, 1);
  const Source source(
      Signal::kTraces,
      otlp_request({otlp_resource("gone", {otlp_scope("s", {bad})}),
                    otlp_resource("stays", {otlp_scope("gone", {bad}),
                                            otlp_scope("stays", {bad, otlp_span(1, 1), bad})}),
                    otlp_resource("empty", {})})
          .encode());
  const std::string expected =
      otlp_request({otlp_resource("stays", {otlp_scope("stays", {otlp_span(1, 1)})})}).encode();
  const Bytes kept = without_rejected(source.index(), source.payload);
  EXPECT_EQ(flatten(Signal::kTraces, kept.view()), flatten(Signal::kTraces, expected));
  EXPECT_EQ(kept.size(), expected.size());
  const std::vector<Part> parts = source.split({});
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].payload.view(), kept.view());
  EXPECT_EQ(parts[0].item_count, 1u);
}

TEST(Split, NothingAcceptedGivesNoParts) {
  EXPECT_TRUE(Source(Signal::kTraces, "").split({}).empty());
  EXPECT_TRUE(Source(Signal::kTraces, otlp_request_of({otlp_span(0, 0)})).split({}).empty());
  EXPECT_TRUE(without_rejected(Source(Signal::kTraces, otlp_request_of({otlp_span(0, 0)})).index(),
                               otlp_request_of({otlp_span(0, 0)}))
                  .empty());
}

TEST(Split, ByTraceGivesOnePartPerTraceWithItsKey) {
  const Source source(Signal::kTraces,
                      otlp_request_of({otlp_span(7, 1), otlp_span(9, 2), otlp_span(7, 3)}));
  const std::vector<Part> parts = source.split({.partition_count = 1, .by_trace = true});
  std::map<std::string, std::uint64_t> counts;
  for (const Part& part : parts) counts[part.trace_id_hex] += part.item_count;
  EXPECT_EQ(counts,
            (std::map<std::string, std::uint64_t>{{"00000000000000000000000000000007", 2},
                                                  {"00000000000000000000000000000009", 1}}));
  const Source one(Signal::kTraces, otlp_request_of({otlp_span(7, 1), otlp_span(7, 3)}));
  EXPECT_STREQ(one.split({.by_trace = true}).at(0).trace_id_hex,
               "00000000000000000000000000000007");
}

// Two ids with one hash, found by search over the low 64 bits.
TEST(Split, ByTraceSeparatesTracesOfEqualHash) {
  std::map<std::uint32_t, std::uint64_t> seen;
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  for (std::uint64_t id = 1; first == 0 && id < 2'000'000; ++id) {
    const auto [at, is_new] = seen.emplace(trace_placement_hash(otlp_trace_id(id)), id);
    if (!is_new) {
      first = at->second;
      second = id;
    }
  }
  ASSERT_NE(first, 0u);
  const Source source(Signal::kTraces, otlp_request_of({otlp_span(first, 1), otlp_span(second, 2),
                                                        otlp_span(first, 3)}));
  EXPECT_EQ(source.split({.partition_count = 5, .by_trace = true}).size(), 2u);
  EXPECT_FALSE(source.is_single({.by_trace = true}));
  EXPECT_TRUE(source.is_single({.by_trace = false}));
}

TEST(Split, ALargeMetricIsCutBetweenItsPoints) {
  const ProtoMessage large = otlp_metric("large", MetricKind::kSum, points(100));
  const ProtoMessage small = otlp_metric("small", MetricKind::kGauge, points(1));
  for (const bool reversed : {false, true}) {
    const Source source(Signal::kMetrics,
                        otlp_request({otlp_resource("a", {otlp_scope("s", {small, large, small})})})
                            .encode(reversed));
    const SplitOptions options{.part_bytes_max = 500};
    const std::vector<Part> parts = source.split(options);
    EXPECT_EQ(flatten(Signal::kMetrics, joined(parts)), flatten(Signal::kMetrics, source.payload));
    EXPECT_GT(parts.size(), 5u);
    std::uint64_t count = 0;
    for (const Part& part : parts) {
      EXPECT_LE(part.payload.size(), 500u);
      count += part.item_count;
    }
    EXPECT_EQ(count, 102u);
  }
}

// Otherwise each point of a metric with a huge name would take the name along.
TEST(Split, AMetricIsNotCutWhenMostOfAPartWouldBeRepeated) {
  const ProtoMessage metric = otlp_metric(std::string(300, 'x'), MetricKind::kSum, points(50));
  const Source source(Signal::kMetrics, otlp_request_of({metric}));
  EXPECT_EQ(source.split({.part_bytes_max = 500}).size(), 1u);
}

TEST(Split, UnknownFieldsSurvive) {
  ProtoMessage scope = otlp_scope("s", {otlp_span(1, 1).bytes(90, "in span"), otlp_span(2, 2)});
  scope.bytes(91, "in scope");
  ProtoMessage request = otlp_request({otlp_resource("a", {scope}).bytes(92, "in resource")});
  request.bytes(93, "in request");
  const Source source(Signal::kTraces, request.encode());
  const std::vector<Part> parts = source.split({.by_trace = true});
  ASSERT_EQ(parts.size(), 2u);
  const std::string all = joined(parts);
  const auto count = [&all](std::string_view text) {
    int n = 0;
    for (std::size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(count("in span"), 1);
  EXPECT_EQ(count("in scope"), 2);
  EXPECT_EQ(count("in resource"), 2);
  EXPECT_EQ(count("in request"), 1);
}

TEST(Split, RequestFieldsWaitForAPartWithRoom) {
  ProtoMessage request = otlp_request({otlp_resource(
      "a", {otlp_scope("s", {otlp_span(1, 1, std::string(300, 'x')), otlp_span(1, 2)})})});
  request.bytes(93, std::string(100, 'u'));
  const Source source(Signal::kTraces, request.encode());
  const std::vector<Part> parts = source.split({.part_bytes_max = 450});
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].payload.view().find("uuuu"), std::string_view::npos);
  EXPECT_NE(parts[1].payload.view().find("uuuu"), std::string_view::npos);
  EXPECT_LE(parts[1].payload.size(), 450u);
}

// --- is_single_part ---

TEST(SinglePart, OnlyWhenTheRequestCanGoAsItIs) {
  const Source one(Signal::kTraces, otlp_request_of({otlp_span(1, 1), otlp_span(1, 2)}));
  std::int32_t partition = -1;
  ASSERT_TRUE(is_single_part(one.index(), one.payload, {.partition_count = 7}, partition));
  EXPECT_EQ(partition, partition_of(trace_placement_hash(otlp_trace_id(1)), 7));
  EXPECT_EQ(one.split({.partition_count = 7}).at(0).payload.view(), one.payload);
  EXPECT_FALSE(one.is_single({.part_bytes_max = one.payload.size() - 1}));

  const Source rejected(Signal::kTraces, otlp_request_of({otlp_span(1, 1), otlp_span(0, 2)}));
  EXPECT_FALSE(rejected.is_single({}));
  EXPECT_FALSE(Source(Signal::kTraces, "").is_single({}));

  std::vector<ProtoMessage> spans;
  for (std::uint64_t i = 1; i < 30; ++i) spans.push_back(otlp_span(i, i));
  const Source many(Signal::kTraces, otlp_request_of(spans));
  EXPECT_TRUE(many.is_single({.partition_count = 1}));
  EXPECT_FALSE(many.is_single({.partition_count = 7}));
  EXPECT_FALSE(many.is_single({.partition_count = 1, .by_trace = true}));
}

// --- halve ---

TEST(Halve, ASingleItemHasNoSecondHalf) {
  const Source source(Signal::kTraces, otlp_request_of({otlp_span(1, 1)}));
  const auto [first, second] = halve(source.index(), source.payload);
  EXPECT_EQ(first.item_count, 1u);
  EXPECT_EQ(second.item_count, 0u);
  EXPECT_TRUE(second.payload.empty());
}

TEST(Halve, AMetricAloneIsHalvedByPoints) {
  const Source source(Signal::kMetrics,
                      otlp_request_of({otlp_metric("m", MetricKind::kSum, points(5))}));
  const auto [first, second] = halve(source.index(), source.payload);
  EXPECT_EQ(first.item_count, 3u);
  EXPECT_EQ(second.item_count, 2u);
  const std::string both = std::string(first.payload.view()) + std::string(second.payload.view());
  EXPECT_EQ(flatten(Signal::kMetrics, both), flatten(Signal::kMetrics, source.payload));
}

}  // namespace
}  // namespace spanway::otlp
