#include "services/lib/otlp/scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/lib/otlp/placement.h"
#include "services/lib/otlp/split.h"
#include "tests/unit/otlp/scan_fixture.h"

namespace spanway::otlp {
namespace {

using namespace spanway::fakes;
using ::testing::HasSubstr;

TEST(Scan, FindsResourcesScopesAndItemsInEitherFieldOrder) {
  for (const bool reversed : {false, true}) {
    const ScannedRequest scanned(Signal::kTraces, two_resources().encode(reversed));
    ASSERT_TRUE(scanned.status().ok());
    const Index& index = scanned.index();
    ASSERT_EQ(index.resources.size(), 2u);
    ASSERT_EQ(index.scopes.size(), 3u);
    ASSERT_EQ(index.items.size(), 4u);
    EXPECT_EQ(index.accepted, 4u);
    EXPECT_EQ(index.rejected, 0u);
    EXPECT_EQ(index.reject_message, "");
    for (std::uint32_t i = 0; i < index.items.size(); ++i) {
      const Item& item = index.items[i];
      const Scope& scope = index.scopes[item.scope];
      EXPECT_GE(i, scope.item_begin);
      EXPECT_LT(i, scope.item_end);
      EXPECT_GE(item.scope, index.resources[scope.resource].scope_begin);
      EXPECT_LT(item.scope, index.resources[scope.resource].scope_end);
      EXPECT_EQ(item.points, 1u);
      const std::string_view id = scanned.bytes({item.trace_id_offset, 16});
      EXPECT_EQ(item.placement_hash, trace_placement_hash(id));
    }
    // Every span's bytes are the field, with tag and length.
    const Item& first = index.items[reversed ? 3 : 0];
    EXPECT_EQ(scanned.bytes(first.bytes),
              ProtoMessage().message(2, otlp_span(1, 1)).encode(reversed));
  }
}

TEST(Scan, PrefixIsEverythingButTheItems) {
  ProtoMessage scope = otlp_scope("s", {otlp_span(1, 1)});
  scope.bytes(3, "schema").bytes(77, "unknown");
  ProtoMessage resource = otlp_resource("a", {scope});
  resource.varint(78, 5);
  const ScannedRequest scanned(Signal::kTraces, otlp_request({resource}).encode());
  const Index& index = scanned.index();
  const auto prefix = [&](std::uint32_t begin, std::uint32_t end) {
    std::string text;
    for (std::uint32_t i = begin; i < end; ++i) text += scanned.bytes(index.prefix_slices[i]);
    return text;
  };
  const Scope& s = index.scopes.at(0);
  EXPECT_EQ(prefix(s.prefix_begin, s.prefix_end),
            otlp_scope("s", {}).bytes(3, "schema").bytes(77, "unknown").encode());
  EXPECT_EQ(s.prefix_bytes, prefix(s.prefix_begin, s.prefix_end).size());
  const Resource& r = index.resources.at(0);
  EXPECT_EQ(prefix(r.prefix_begin, r.prefix_end), otlp_resource("a", {}).varint(78, 5).encode());
  EXPECT_EQ(r.prefix_bytes, prefix(r.prefix_begin, r.prefix_end).size());
}

TEST(Scan, AcceptsTheEmptyRequestAndEmptyResources) {
  const ScannedRequest empty(Signal::kLogs, "");
  EXPECT_TRUE(empty.status().ok());
  EXPECT_EQ(empty.index().accepted, 0u);
  const ScannedRequest hollow(Signal::kLogs,
                              otlp_request({ProtoMessage(), otlp_resource("a", {})}).encode());
  EXPECT_TRUE(hollow.status().ok());
  EXPECT_EQ(hollow.index().accepted + hollow.index().rejected, 0u);
}

TEST(Scan, SecondScanForgetsTheFirst) {
  Scanner scanner;
  const std::string bad = otlp_request_of({otlp_span(0, 1)});
  ASSERT_TRUE(scanner.scan(Signal::kTraces, bad).ok());
  EXPECT_EQ(scanner.index().rejected, 1u);
  const std::string good = otlp_request_of({otlp_log_record("x")});
  ASSERT_TRUE(scanner.scan(Signal::kLogs, good).ok());
  EXPECT_EQ(scanner.index().rejected, 0u);
  EXPECT_EQ(scanner.index().items.size(), 1u);
  EXPECT_EQ(scanner.index().reject_message, "");
  EXPECT_FALSE(scanner.scan(Signal::kLogs, "\x0a").ok());
  EXPECT_TRUE(scanner.index().items.empty());
  EXPECT_TRUE(scanner.index().resources.empty());
}

// --- Ids ---

TEST(ScanIds, SpanNeedsBothIds) {
  const std::string trace = otlp_trace_id(1);
  const std::string span = otlp_span_id(1);
  EXPECT_EQ(reject_of_span(otlp_span(trace, span)), RejectReason::kNone);
  for (const std::size_t size : {0u, 5u, 8u, 15u, 17u, 32u})
    EXPECT_EQ(reject_of_span(otlp_span(std::string(size, 'x'), span)),
              RejectReason::kInvalidTraceId);
  EXPECT_EQ(reject_of_span(otlp_span(otlp_trace_id(0), span)), RejectReason::kInvalidTraceId);
  for (const std::size_t size : {0u, 5u, 7u, 9u, 16u})
    EXPECT_EQ(reject_of_span(otlp_span(trace, std::string(size, 'x'))),
              RejectReason::kInvalidSpanId);
  EXPECT_EQ(reject_of_span(otlp_span(trace, otlp_span_id(0))), RejectReason::kInvalidSpanId);
  EXPECT_EQ(reject_of_span(ProtoMessage()), RejectReason::kInvalidTraceId);
  EXPECT_EQ(reject_of_span(ProtoMessage().bytes(1, trace)), RejectReason::kInvalidSpanId);
  // One byte of sixteen that is not zero is enough.
  EXPECT_EQ(reject_of_span(otlp_span("\x01" + std::string(15, '\0'), span)), RejectReason::kNone);
}

TEST(ScanIds, ParentIsAbsentEmptyOrEightBytesEvenZero) {
  for (const std::size_t size : {0u, 8u})
    EXPECT_EQ(reject_of_span(otlp_span(1, 1).bytes(4, std::string(size, '\0'))),
              RejectReason::kNone);
  for (const std::size_t size : {1u, 7u, 9u, 16u})
    EXPECT_EQ(reject_of_span(otlp_span(1, 1).bytes(4, std::string(size, 'x'))),
              RejectReason::kInvalidSpanId);
}

TEST(ScanIds, TheLastOfRepeatedIdsCounts) {
  const ScannedRequest scanned = scan_spans({otlp_span(1, 1).bytes(1, otlp_trace_id(2))});
  EXPECT_EQ(scanned.index().items.at(0).placement_hash, trace_placement_hash(otlp_trace_id(2)));
  EXPECT_EQ(reject_of_span(otlp_span(1, 1).bytes(1, "short")), RejectReason::kInvalidTraceId);
}

TEST(ScanIds, LinksAndExemplarsMayLackTheirsButNotHaveHalfOfThem) {
  const auto link = [](std::size_t trace_size, std::size_t span_size) {
    return otlp_span(1, 1).message(13, ProtoMessage()
                                           .bytes(1, std::string(trace_size, 'x'))
                                           .bytes(2, std::string(span_size, 'x')));
  };
  EXPECT_EQ(reject_of_span(link(16, 8)), RejectReason::kNone);
  EXPECT_EQ(reject_of_span(link(0, 0)), RejectReason::kNone);
  EXPECT_EQ(reject_of_span(link(15, 8)), RejectReason::kInvalidTraceId);
  EXPECT_EQ(reject_of_span(link(16, 4)), RejectReason::kInvalidSpanId);
  const auto exemplar = [](std::size_t trace_size, std::size_t span_size) {
    ProtoMessage value;
    value.bytes(4, std::string(span_size, 'x')).bytes(5, std::string(trace_size, 'x'));
    return otlp_metric("m", MetricKind::kGauge, {otlp_number_point(1).message(5, value)});
  };
  EXPECT_EQ(reject_of(Signal::kMetrics, exemplar(16, 8)), RejectReason::kNone);
  EXPECT_EQ(reject_of(Signal::kMetrics, exemplar(0, 0)), RejectReason::kNone);
  EXPECT_EQ(reject_of(Signal::kMetrics, exemplar(1, 8)), RejectReason::kInvalidTraceId);
  EXPECT_EQ(reject_of(Signal::kMetrics, exemplar(16, 9)), RejectReason::kInvalidSpanId);
}

TEST(ScanIds, LogRecordMayStandOutsideOfATrace) {
  const auto reject = [](std::string_view trace, std::string_view span) {
    return reject_of(Signal::kLogs, otlp_log_record("x", trace, span));
  };
  EXPECT_EQ(reject("", ""), RejectReason::kNone);
  EXPECT_EQ(reject(otlp_trace_id(0), otlp_span_id(0)), RejectReason::kNone);
  EXPECT_EQ(reject(otlp_trace_id(1), ""), RejectReason::kNone);
  EXPECT_EQ(reject("short", ""), RejectReason::kInvalidTraceId);
  EXPECT_EQ(reject(otlp_trace_id(1), "short"), RejectReason::kInvalidSpanId);
}

// --- Placement ---

TEST(ScanPlacement, LogsGoByTraceElseByResource) {
  for (const bool reversed : {false, true}) {
    const ScannedRequest scanned(
        Signal::kLogs,
        otlp_request(
            {otlp_resource("shop", {otlp_scope("s", {otlp_log_record("x"),
                                                     otlp_log_record("y", otlp_trace_id(0)),
                                                     otlp_log_record("z", otlp_trace_id(5))})})})
            .encode(reversed));
    const Index& index = scanned.index();
    const std::uint32_t by_resource =
        murmur2(
            ProtoMessage().message(1, otlp_attribute("service.name", "shop")).encode(reversed)) &
        0x7fffffff;
    ASSERT_EQ(index.items.size(), 3u);
    EXPECT_EQ(index.items[reversed ? 2 : 0].placement_hash, by_resource);
    EXPECT_EQ(index.items[1].placement_hash, by_resource);
    EXPECT_EQ(index.items[1].trace_id_offset, 0u);
    EXPECT_EQ(index.items[reversed ? 0 : 2].placement_hash, trace_placement_hash(otlp_trace_id(5)));
    EXPECT_EQ(index.resources[0].placement_hash, by_resource);
  }
}

TEST(ScanPlacement, PiecesOfOneResourceAreHashedTogether) {
  const ProtoMessage first = ProtoMessage().message(1, otlp_attribute("a", "1"));
  const ProtoMessage second = ProtoMessage().message(1, otlp_attribute("b", "2"));
  const ProtoMessage metric = otlp_metric("m", MetricKind::kGauge, {otlp_number_point(1)});
  ProtoMessage resource;
  resource.message(1, first).message(2, otlp_scope("s", {metric})).message(1, second);
  const ScannedRequest scanned(Signal::kMetrics, otlp_request({resource}).encode());
  EXPECT_EQ(scanned.index().items.at(0).placement_hash,
            murmur2(first.encode() + second.encode()) & 0x7fffffff);
}

TEST(ScanPlacement, NoResourceIsTheHashOfNothing) {
  ProtoMessage resource;
  resource.message(2, otlp_scope("s", {otlp_metric("m", MetricKind::kGauge, {})}));
  const ScannedRequest scanned(Signal::kMetrics, otlp_request({resource}).encode());
  EXPECT_EQ(scanned.index().items.at(0).placement_hash, murmur2("") & 0x7fffffff);
}

// --- Counting ---

TEST(ScanCounts, DataPointsOfEveryKind) {
  using enum MetricKind;
  std::vector<ProtoMessage> metrics;
  std::uint64_t points = 0;
  for (const MetricKind kind : {kGauge, kSum, kHistogram, kExponentialHistogram, kSummary}) {
    points += metrics.size() + 1;
    metrics.push_back(otlp_metric("m", kind, std::vector<ProtoMessage>(metrics.size() + 1)));
  }
  metrics.push_back(otlp_metric("none", kGauge, {}));
  metrics.push_back(ProtoMessage().bytes(1, "no data at all"));
  const ScannedRequest scanned(Signal::kMetrics, otlp_request_of(metrics));
  ASSERT_EQ(scanned.index().items.size(), 7u);
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_EQ(scanned.index().items[i].points, i + 1);
  EXPECT_EQ(scanned.index().items[5].points, 0u);
  EXPECT_EQ(scanned.index().items[6].points, 0u);
  EXPECT_EQ(scanned.index().accepted, points);
  EXPECT_EQ(scanned.index().rejected, 0u);
}

TEST(ScanCounts, DataIsAOneof) {
  ProtoMessage metric = otlp_metric("m", MetricKind::kGauge, std::vector<ProtoMessage>(5));
  const ProtoMessage two = ProtoMessage().message(1, {}).message(1, {});
  metric.message(7, two).message(7, two);  // The same case again: merged.
  const ScannedRequest scanned(Signal::kMetrics, otlp_request_of({metric}));
  EXPECT_EQ(scanned.index().items.at(0).points, 4u);
}

TEST(ScanCounts, RejectedMetricCountsItsPoints) {
  const std::vector<ProtoMessage> points(3, otlp_number_point(1));
  const ScannedRequest scanned(
      Signal::kMetrics, otlp_request_of({otlp_metric("\xff", MetricKind::kSum, points),
                                         otlp_metric("ok", MetricKind::kSum, points),
                                         otlp_metric("\xff", MetricKind::kSum,
                                                     {}),  // At least one, or none would see it.
                                         ProtoMessage().raw("\x0a")}));
  EXPECT_EQ(scanned.index().rejected, 3u + 1u + 1u);
  EXPECT_EQ(scanned.index().accepted, 3u);
}

TEST(ScanCounts, MessageHasRulesCountsAndPlace) {
  const ScannedRequest scanned(
      Signal::kTraces,
      otlp_request(
          {otlp_resource("a", {otlp_scope("s", {otlp_span(1, 1)})}),
           otlp_resource("b", {otlp_scope("s", {otlp_span(1, 1)}),
                               otlp_scope("t", {otlp_span(1, 1), otlp_span(1, 0),
                                                otlp_span(1, 1, "\xff"), otlp_span(2, 0)})})})
          .encode());
  const Index& index = scanned.index();
  EXPECT_EQ(index.accepted, 3u);
  EXPECT_EQ(index.rejected, 3u);
  EXPECT_EQ(index.first_reject, RejectReason::kInvalidSpanId);
  EXPECT_EQ(index.rejected_by_reason[static_cast<std::size_t>(RejectReason::kInvalidSpanId)], 2u);
  EXPECT_EQ(index.rejected_by_reason[static_cast<std::size_t>(RejectReason::kInvalidUtf8)], 1u);
  EXPECT_THAT(index.reject_message,
              HasSubstr("3 of 6 spans rejected: invalid_utf8 1, invalid_span_id 2; first at "
                        "resource_spans[1].scope_spans[1].spans[1] ("));
}

// --- Items that cannot be read ---

TEST(ScanUnread, ItemsInADeprecatedFieldAreRejectedAndCountedOneByOne) {
  const auto points =
      otlp_metric("m", MetricKind::kSum, {otlp_number_point(1), otlp_number_point(2)});
  const struct {
    Signal signal;
    ProtoMessage item;
    std::uint64_t items, rejected;
  } cases[] = {{Signal::kTraces, otlp_span(1, 1), 3, 3},
               {Signal::kLogs, otlp_log_record("hello"), 2, 2},
               {Signal::kMetrics, points, 2, 4},
               {Signal::kMetrics, ProtoMessage().bytes(1, "without points"), 2, 2}};
  for (const auto& c : cases) {
    for (const bool reversed : {false, true}) {
      const ProtoMessage resource = otlp_resource("old", {}).message(
          1000, library(std::vector<ProtoMessage>(c.items, c.item)));
      const ScannedRequest scanned(c.signal, otlp_request({resource}).encode(reversed));
      ASSERT_TRUE(scanned.status().ok());
      EXPECT_EQ(scanned.index().rejected, c.rejected);
      EXPECT_EQ(count_of(scanned.index(), RejectReason::kDeprecatedField), c.rejected);
      EXPECT_EQ(scanned.index().accepted, 0u);
      EXPECT_FALSE(keeps_items(scanned.index()));
      EXPECT_TRUE(holds_only_unread(scanned.index()));
      EXPECT_THAT(scanned.index().reject_message, HasSubstr("deprecated_field"));
      EXPECT_THAT(scanned.index().reject_message, HasSubstr("scope_*"));
    }
  }
}

TEST(ScanUnread, KnownItemsBesideADeprecatedFieldAreKeptWithoutIt) {
  const ProtoMessage resource =
      otlp_resource("mixed", {otlp_scope("s", {otlp_span(1, 1), otlp_span(0, 2)})})
          .message(1000, library({otlp_span(1, 3), otlp_span(1, 4)}));
  const std::string payload =
      otlp_request({resource, otlp_resource("new", {otlp_scope("s", {otlp_span(2, 5)})})}).encode();
  const ScannedRequest scanned(Signal::kTraces, payload);
  EXPECT_EQ(scanned.index().accepted, 2u);
  EXPECT_EQ(scanned.index().rejected, 3u);
  EXPECT_EQ(count_of(scanned.index(), RejectReason::kDeprecatedField), 2u);
  EXPECT_EQ(count_of(scanned.index(), RejectReason::kInvalidTraceId), 1u);
  EXPECT_FALSE(holds_only_unread(scanned.index()));
  const ScannedRequest kept(Signal::kTraces,
                            std::string(without_rejected(scanned.index(), payload).view()));
  EXPECT_EQ(kept.index().accepted, 2u);
  EXPECT_EQ(kept.index().rejected, 0u);
}

TEST(ScanUnread, ABrokenDeprecatedFieldCountsOneAtLeast) {
  for (const auto& [body, rejected] :
       {std::pair{std::string("\x12\x7f"), 1u},
        {otlp_scope("s", {otlp_span(1, 1), otlp_span(1, 2)}).raw("\x12\x7f").encode(), 2u}}) {
    const ProtoMessage resource = ProtoMessage().bytes(1000, body);
    EXPECT_EQ(ScannedRequest(Signal::kTraces, otlp_request({resource}).encode()).index().rejected,
              rejected);
  }
}

TEST(ScanUnread, UnknownFieldsWithoutAnyItemAreRejected) {
  const ProtoMessage field = ProtoMessage().bytes(77, "from the future");
  const ProtoMessage requests[] = {
      field, otlp_request({otlp_resource("r", {}).bytes(77, "x")}),
      otlp_request({otlp_resource("r", {otlp_scope("s", {}).varint(78, 1)})}),
      ProtoMessage().varint(1, 5),  // A foreign wire type.
  };
  for (const ProtoMessage& request : requests) {
    const ScannedRequest scanned(Signal::kLogs, request.encode());
    ASSERT_TRUE(scanned.status().ok());
    EXPECT_EQ(scanned.index().unknown_fields, 1u);
    EXPECT_EQ(scanned.index().rejected, 1u);
    EXPECT_EQ(count_of(scanned.index(), RejectReason::kUnknownContent), 1u);
    EXPECT_TRUE(holds_only_unread(scanned.index()));
    EXPECT_THAT(scanned.index().reject_message, HasSubstr("unknown_content"));
  }
  // Beside an item they are what a newer version has added to it.
  const ScannedRequest beside(Signal::kTraces, otlp_request_of({otlp_span(1, 1)}) + field.encode());
  EXPECT_EQ(beside.index().unknown_fields, 1u);
  EXPECT_EQ(beside.index().rejected, 0u);
}

TEST(ScanUnread, EmptyContainersHoldNothingThatCouldBeLost) {
  for (const ProtoMessage& request :
       {ProtoMessage(), otlp_request({ProtoMessage()}), otlp_request({otlp_resource("r", {})}),
        otlp_request({otlp_resource("r", {otlp_scope("s", {})})}),
        otlp_request({otlp_resource("r", {}).message(1000, library({}))})}) {
    const ScannedRequest scanned(Signal::kMetrics, request.encode());
    EXPECT_EQ(scanned.index().rejected, 0u);
    EXPECT_FALSE(holds_only_unread(scanned.index()));
  }
}

}  // namespace
}  // namespace spanway::otlp
