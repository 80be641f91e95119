#include "services/lib/otlp/scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/lib/otlp/placement.h"
#include "services/lib/otlp/split.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp {
namespace {

using namespace spanway::fakes;
using ::testing::HasSubstr;

const std::string kGzipLike("\x1f\x8b\x08\x00", 4);

class Scanned {
 public:
  Scanned(Signal signal, std::string payload, ScanLimits limits = {})
      : payload_(std::move(payload)), scanner_(limits), status_(scanner_.scan(signal, payload_)) {}

  const Index& index() const { return scanner_.index(); }
  const Status& status() const { return status_; }
  std::string_view bytes(const Slice& slice) const {
    return std::string_view(payload_).substr(slice.offset, slice.size);
  }
  std::vector<RejectReason> rejects() const {
    std::vector<RejectReason> reasons;
    for (const Item& item : index().items) reasons.push_back(item.reject);
    return reasons;
  }

 private:
  std::string payload_;
  Scanner scanner_;
  Status status_;
};

Scanned scan_spans(const std::vector<ProtoMessage>& spans, ScanLimits limits = {}) {
  return Scanned(Signal::kTraces, otlp_request_of(spans), limits);
}
RejectReason reject_of(Signal signal, const ProtoMessage& item, ScanLimits limits = {}) {
  const Scanned scanned(signal, otlp_request_of({item}), limits);
  EXPECT_TRUE(scanned.status().ok());
  EXPECT_EQ(scanned.index().items.size(), 1u);
  return scanned.index().items.empty() ? RejectReason::kNone : scanned.index().items[0].reject;
}
RejectReason reject_of_span(const ProtoMessage& span) { return reject_of(Signal::kTraces, span); }

ProtoMessage two_resources() {
  return otlp_request({otlp_resource("a", {otlp_scope("s1", {otlp_span(1, 1), otlp_span(2, 2)}),
                                           otlp_scope("s2", {otlp_span(1, 3)})}),
                       otlp_resource("b", {otlp_scope("s3", {otlp_span(3, 4)})})});
}

TEST(Scan, FindsResourcesScopesAndItemsInEitherFieldOrder) {
  for (const bool reversed : {false, true}) {
    const Scanned scanned(Signal::kTraces, two_resources().encode(reversed));
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
  const Scanned scanned(Signal::kTraces, otlp_request({resource}).encode());
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
  const Scanned empty(Signal::kLogs, "");
  EXPECT_TRUE(empty.status().ok());
  EXPECT_EQ(empty.index().accepted, 0u);
  const Scanned hollow(Signal::kLogs,
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
  const Scanned scanned = scan_spans({otlp_span(1, 1).bytes(1, otlp_trace_id(2))});
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
    const Scanned scanned(
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
  const Scanned scanned(Signal::kMetrics, otlp_request({resource}).encode());
  EXPECT_EQ(scanned.index().items.at(0).placement_hash,
            murmur2(first.encode() + second.encode()) & 0x7fffffff);
}

TEST(ScanPlacement, NoResourceIsTheHashOfNothing) {
  ProtoMessage resource;
  resource.message(2, otlp_scope("s", {otlp_metric("m", MetricKind::kGauge, {})}));
  const Scanned scanned(Signal::kMetrics, otlp_request({resource}).encode());
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
  const Scanned scanned(Signal::kMetrics, otlp_request_of(metrics));
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
  const Scanned scanned(Signal::kMetrics, otlp_request_of({metric}));
  EXPECT_EQ(scanned.index().items.at(0).points, 4u);
}

TEST(ScanCounts, RejectedMetricCountsItsPoints) {
  const std::vector<ProtoMessage> points(3, otlp_number_point(1));
  const Scanned scanned(Signal::kMetrics,
                        otlp_request_of({otlp_metric("\xff", MetricKind::kSum, points),
                                         otlp_metric("ok", MetricKind::kSum, points),
                                         otlp_metric("\xff", MetricKind::kSum,
                                                     {}),  // At least one, or none would see it.
                                         ProtoMessage().raw("\x0a")}));
  EXPECT_EQ(scanned.index().rejected, 3u + 1u + 1u);
  EXPECT_EQ(scanned.index().accepted, 3u);
}

TEST(ScanCounts, MessageHasRulesCountsAndPlace) {
  const Scanned scanned(
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

// --- UTF-8 ---

// InstrumentationLibrarySpans and its like; the items have the number that they have in a scope.
ProtoMessage library(const std::vector<ProtoMessage>& items) {
  return otlp_scope("library", items).bytes(3, "https://schema");
}
std::uint64_t count_of(const Index& index, RejectReason reason) {
  return index.rejected_by_reason[static_cast<std::size_t>(reason)];
}

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
      const Scanned scanned(c.signal, otlp_request({resource}).encode(reversed));
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
  const Scanned scanned(Signal::kTraces, payload);
  EXPECT_EQ(scanned.index().accepted, 2u);
  EXPECT_EQ(scanned.index().rejected, 3u);
  EXPECT_EQ(count_of(scanned.index(), RejectReason::kDeprecatedField), 2u);
  EXPECT_EQ(count_of(scanned.index(), RejectReason::kInvalidTraceId), 1u);
  EXPECT_FALSE(holds_only_unread(scanned.index()));
  const Scanned kept(Signal::kTraces,
                     std::string(without_rejected(scanned.index(), payload).view()));
  EXPECT_EQ(kept.index().accepted, 2u);
  EXPECT_EQ(kept.index().rejected, 0u);
}

TEST(ScanUnread, ABrokenDeprecatedFieldCountsOneAtLeast) {
  for (const auto& [body, rejected] :
       {std::pair{std::string("\x12\x7f"), 1u},
        {otlp_scope("s", {otlp_span(1, 1), otlp_span(1, 2)}).raw("\x12\x7f").encode(), 2u}}) {
    const ProtoMessage resource = ProtoMessage().bytes(1000, body);
    EXPECT_EQ(Scanned(Signal::kTraces, otlp_request({resource}).encode()).index().rejected,
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
    const Scanned scanned(Signal::kLogs, request.encode());
    ASSERT_TRUE(scanned.status().ok());
    EXPECT_EQ(scanned.index().unknown_fields, 1u);
    EXPECT_EQ(scanned.index().rejected, 1u);
    EXPECT_EQ(count_of(scanned.index(), RejectReason::kUnknownContent), 1u);
    EXPECT_TRUE(holds_only_unread(scanned.index()));
    EXPECT_THAT(scanned.index().reject_message, HasSubstr("unknown_content"));
  }
  // Beside an item they are what a newer version has added to it.
  const Scanned beside(Signal::kTraces, otlp_request_of({otlp_span(1, 1)}) + field.encode());
  EXPECT_EQ(beside.index().unknown_fields, 1u);
  EXPECT_EQ(beside.index().rejected, 0u);
}

TEST(ScanUnread, EmptyContainersHoldNothingThatCouldBeLost) {
  for (const ProtoMessage& request :
       {ProtoMessage(), otlp_request({ProtoMessage()}), otlp_request({otlp_resource("r", {})}),
        otlp_request({otlp_resource("r", {otlp_scope("s", {})})}),
        otlp_request({otlp_resource("r", {}).message(1000, library({}))})}) {
    const Scanned scanned(Signal::kMetrics, request.encode());
    EXPECT_EQ(scanned.index().rejected, 0u);
    EXPECT_FALSE(holds_only_unread(scanned.index()));
  }
}

TEST(ScanUtf8, EveryStringOfASpanIsChecked) {
  const ProtoMessage bad_attribute = otlp_attribute("k", "\xff");
  const std::vector<ProtoMessage> spans = {
      otlp_span(1, 1).bytes(3, "\xff"),
      otlp_span(1, 1, "\xff"),
      otlp_span(1, 1, "n", {bad_attribute}),
      otlp_span(1, 1, "n", {otlp_attribute("\xff", "v")}),
      otlp_span(1, 1, "n", {otlp_attribute("k", otlp_array({otlp_string("\xff")}))}),
      otlp_span(1, 1, "n", {otlp_attribute("k", otlp_kvlist({bad_attribute}))}),
      otlp_span(1, 1, "n", {otlp_attribute("k", std::string(200, 'a') + "\xff")}),
      otlp_span(1, 1).message(11, ProtoMessage().bytes(2, "\xff")),
      otlp_span(1, 1).message(11, ProtoMessage().message(3, bad_attribute)),
      otlp_span(1, 1).message(13, ProtoMessage().bytes(3, "\xff")),
      otlp_span(1, 1).message(13, ProtoMessage().message(4, bad_attribute)),
      otlp_span(1, 1).message(15, ProtoMessage().bytes(2, "\xff"))};
  for (std::size_t i = 0; i < spans.size(); ++i)
    EXPECT_EQ(reject_of_span(spans[i]), RejectReason::kInvalidUtf8) << i;
}

TEST(ScanUtf8, EveryStringOfALogRecordIsChecked) {
  for (const ProtoMessage& record : {otlp_log_record("\xff"), otlp_log_record("b").bytes(3, "\xff"),
                                     otlp_log_record("b").bytes(12, "\xff"),
                                     otlp_log_record("b", "", "", {otlp_attribute("k", "\xff")})}) {
    EXPECT_EQ(reject_of(Signal::kLogs, record), RejectReason::kInvalidUtf8);
  }
}

TEST(ScanUtf8, EveryStringOfAMetricIsChecked) {
  using enum MetricKind;
  const ProtoMessage bad = otlp_attribute("k", "\xff");
  const ProtoMessage exemplar = ProtoMessage().message(7, bad);
  const auto with_point = [](MetricKind kind, const ProtoMessage& point) {
    return otlp_metric("m", kind, {point});
  };
  const std::vector<ProtoMessage> metrics = {
      otlp_metric("\xff", kGauge, {}),
      ProtoMessage().bytes(2, "\xff"),
      ProtoMessage().bytes(3, "\xff"),
      ProtoMessage().message(12, bad),
      with_point(kGauge, ProtoMessage().message(7, bad)),
      with_point(kSum, ProtoMessage().message(5, exemplar)),
      with_point(kHistogram, ProtoMessage().message(9, bad)),
      with_point(kHistogram, ProtoMessage().message(8, exemplar)),
      with_point(kExponentialHistogram, ProtoMessage().message(1, bad)),
      with_point(kExponentialHistogram, ProtoMessage().message(11, exemplar)),
      with_point(kSummary, ProtoMessage().message(7, bad))};
  for (std::size_t i = 0; i < metrics.size(); ++i)
    EXPECT_EQ(reject_of(Signal::kMetrics, metrics[i]), RejectReason::kInvalidUtf8) << i;
}

TEST(ScanUtf8, BytesMayHoldAnything) {
  EXPECT_EQ(
      reject_of_span(otlp_span(1, 1, "n", {otlp_attribute("k", ProtoMessage().bytes(7, "\xff"))})),
      RejectReason::kNone);
}

TEST(ScanUtf8, ABadResourceOrScopeTakesItsItemsWithIt) {
  const ProtoMessage good_scope = otlp_scope("s", {otlp_span(1, 1)});
  ProtoMessage bad_schema = otlp_resource("c", {good_scope});
  bad_schema.bytes(3, "\xff");
  ProtoMessage bad_entity = otlp_resource("d", {good_scope});
  bad_entity.message(1, ProtoMessage().message(3, ProtoMessage().bytes(3, "\xff")));
  ProtoMessage bad_scope_schema = otlp_scope("t", {otlp_span(1, 1)});
  bad_scope_schema.bytes(3, "\xff");
  for (const bool reversed : {false, true}) {
    const Scanned scanned(
        Signal::kTraces,
        otlp_request({otlp_resource("\xff", {good_scope, good_scope}),
                      otlp_resource("b", {otlp_scope("\xff", {otlp_span(1, 1)}), good_scope}),
                      bad_schema, bad_entity, otlp_resource("e", {bad_scope_schema})})
            .encode(reversed));
    EXPECT_EQ(scanned.index().accepted, 1u);
    EXPECT_EQ(scanned.index().rejected, 6u);
    EXPECT_EQ(scanned.index().first_reject, RejectReason::kInvalidUtf8);
  }
}

// It must not be forwarded, and its sender must be notified.
TEST(ScanUtf8, ABrokenResourceOrScopeWithoutItemsCountsAsOne) {
  const ProtoMessage good = otlp_resource("a", {otlp_scope("s", {otlp_span(1, 1)})});
  for (const ProtoMessage& bad :
       {otlp_resource("\xff", {}), otlp_resource("\xff", {otlp_scope("s", {})}),
        otlp_resource("b", {otlp_scope("\xff", {})})}) {
    const Scanned scanned(Signal::kTraces, otlp_request({good, bad}).encode());
    EXPECT_EQ(scanned.index().accepted, 1u);
    EXPECT_EQ(scanned.index().rejected, 1u);
    EXPECT_THAT(scanned.index().reject_message, HasSubstr("first at resource_spans[1]"));
  }
}

// --- Depth ---

ProtoMessage nested(std::size_t depth, bool in_lists) {
  ProtoMessage value = otlp_int(1);
  for (std::size_t i = 1; i < depth; ++i)
    value = in_lists ? otlp_kvlist({otlp_attribute("k", value)}) : otlp_array({value});
  return value;
}

TEST(ScanDepth, IsLimitedForArraysAndLists) {
  for (const bool in_lists : {false, true}) {
    for (const std::size_t limit : {1u, 2u, 16u}) {
      const ScanLimits limits{.value_depth_max = limit};
      const auto reject = [&](std::size_t depth) {
        return reject_of(Signal::kTraces,
                         otlp_span(1, 1, "n", {otlp_attribute("k", nested(depth, in_lists))}),
                         limits);
      };
      EXPECT_EQ(reject(limit), RejectReason::kNone);
      EXPECT_EQ(reject(limit + 1), RejectReason::kTooDeep);
    }
  }
}

TEST(ScanDepth, HundredMessagesAreTheEndWhateverTheLimit) {
  const ScanLimits limits{.value_depth_max = 1'000'000};
  const auto reject = [&](std::size_t depth, bool in_lists) {
    return reject_of(Signal::kLogs, ProtoMessage().message(5, nested(depth, in_lists)), limits);
  };
  // A log record's body is the fourth message below the request; each array adds two, each list
  // three.
  EXPECT_EQ(reject(1 + (100 - 4) / 2, false), RejectReason::kNone);
  EXPECT_EQ(reject(2 + (100 - 4) / 2, false), RejectReason::kTooDeep);
  EXPECT_EQ(reject(1 + (100 - 4) / 3, true), RejectReason::kNone);
  EXPECT_EQ(reject(2 + (100 - 4) / 3, true), RejectReason::kTooDeep);
  std::string deep = otlp_int(1).encode();
  for (int i = 0; i < 2000; ++i)
    deep = ProtoMessage().bytes(5, ProtoMessage().bytes(1, deep).encode()).encode();
  EXPECT_EQ(reject_of(Signal::kLogs, ProtoMessage().bytes(5, deep), limits),
            RejectReason::kTooDeep);
}

// --- Sizes ---

TEST(ScanSize, LargestItemIsTheOneThatFillsARecordWithItsPrefix) {
  // No larger request is needed to carry it, so its size is the limit.
  const std::string payload = otlp_request_of({otlp_span(1, 1, std::string(500, 'x'))});
  const std::string two = payload + payload;
  for (const bool reversed : {false, true}) {
    const std::string larger =
        reversed ? otlp_request(
                       {otlp_resource(
                           "shop", {otlp_scope("test", {otlp_span(1, 1, std::string(500, 'x'))})})})
                           .encode(true) +
                       payload
                 : two;
    const Scanned fits(Signal::kTraces, larger, {.item_bytes_max = payload.size()});
    EXPECT_EQ(fits.index().accepted, 2u);
    const Scanned over(Signal::kTraces, larger, {.item_bytes_max = payload.size() - 1});
    EXPECT_EQ(over.index().rejected, 2u);
    EXPECT_EQ(over.index().first_reject, RejectReason::kItemTooLarge);
  }
}

TEST(ScanSize, ALargeMetricPassesWhenItCanBeCut) {
  const std::vector<ProtoMessage> points(100, otlp_number_point(1));
  const ScanLimits limits{.prefix_bytes_max = 200, .item_bytes_max = 600};
  const auto reject = [&](const ProtoMessage& metric) {
    return reject_of(Signal::kMetrics, metric, limits);
  };
  EXPECT_EQ(reject(otlp_metric("m", MetricKind::kSum, points)), RejectReason::kNone);
  // One point alone is too large; then: what would be repeated is.
  EXPECT_EQ(
      reject(otlp_metric("m", MetricKind::kSum,
                         {otlp_number_point(1),
                          otlp_number_point(1, {otlp_attribute("k", std::string(600, 'x'))})})),
      RejectReason::kItemTooLarge);
  EXPECT_EQ(reject(otlp_metric(std::string(150, 'x'), MetricKind::kSum, points)),
            RejectReason::kItemTooLarge);
}

TEST(ScanSize, AnOversizePrefixRejectsItsItems) {
  const std::string payload =
      otlp_request({otlp_resource("a", {otlp_scope(std::string(300, 'x'), {otlp_span(1, 1)}),
                                        otlp_scope("small", {otlp_span(1, 1)})})})
          .encode();
  const Scanned scanned(Signal::kTraces, payload, {.prefix_bytes_max = 200});
  EXPECT_EQ(scanned.rejects(), (std::vector{RejectReason::kPrefixTooLarge, RejectReason::kNone}));
  EXPECT_EQ(Scanned(Signal::kTraces, payload, {.prefix_bytes_max = 500}).index().rejected, 0u);
}

TEST(ScanSize, RequestLimits) {
  const std::string payload = otlp_request_of({otlp_span(1, 1)});
  EXPECT_TRUE(
      Scanned(Signal::kTraces, payload, {.request_bytes_max = payload.size()}).status().ok());
  const Scanned large(Signal::kTraces, payload, {.request_bytes_max = payload.size() - 1});
  ASSERT_FALSE(large.status().ok());
  EXPECT_EQ(large.status().error().code, Code::kResourceExhausted);
  EXPECT_EQ(large.status().error().refusal, Refusal::kData);
  EXPECT_STREQ(large.status().error().reason, "request_too_large");
}

TEST(ScanSize, SubmessagesAreCountedWhereverTheyHide) {
  const ProtoMessage empty;
  ProtoMessage attributes = otlp_span(1, 1);
  ProtoMessage unknown = otlp_span(1, 1);
  ProtoMessage links = otlp_span(1, 1);
  ProtoMessage values;
  for (int i = 0; i < 100; ++i) {
    attributes.message(9, empty);
    unknown.varint(90, 1);
    links.message(13, empty);
    values.message(1, empty);
  }
  const ProtoMessage nested_values =
      otlp_span(1, 1, "n", {otlp_attribute("k", ProtoMessage().message(5, values))});
  const std::vector<ProtoMessage> items(100, empty);
  const std::vector<std::string> payloads = {
      otlp_request_of({attributes}),
      otlp_request_of({unknown}),
      otlp_request_of({links}),
      otlp_request_of({nested_values}),
      otlp_request_of(items),
      otlp_request(std::vector<ProtoMessage>(100)).encode(),
      otlp_request({otlp_resource("a", std::vector<ProtoMessage>(100))}).encode()};
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const Scanned scanned(Signal::kTraces, payloads[i], {.submessages_max = 99});
    ASSERT_FALSE(scanned.status().ok()) << i;
    EXPECT_STREQ(scanned.status().error().reason, "too_many_submessages");
    EXPECT_EQ(scanned.status().error().refusal, Refusal::kData);
    EXPECT_TRUE(Scanned(Signal::kTraces, payloads[i], {.submessages_max = 200}).status().ok()) << i;
  }
}

// --- Broken framing ---

TEST(ScanFraming, ABrokenItemIsRejectedAlone) {
  const std::vector<std::string> broken = {
      std::string(1, '\0'),  // Field number 0.
      "\x07",
      "\x0e",  // Wire types 7 and 6.
      "\x0b",
      "\x0b\x0c",
      "\x0c",                      // Groups.
      "\x0a",                      // No length.
      "\x0a\x05x",                 // Length behind the end.
      "\x0a\xff\xff\xff\xff\x07",  // 2^31-1.
      "\x39xxxxxxx",               // Seven bytes of a fixed64.
      "\x85\x01xxx",               // Three of a fixed32.
      "\x30\x80",                  // Varint without an end.
      "\x30" + std::string(10, '\x80') + "\x01",
      std::string("\x8a\x00\x00", 3),  // A padded tag.
      "\x4a\x02\x0a\x05",              // An attribute whose key is longer than itself.
      "\x4a\x04\x12\x02\x0a\x01",      // The same for its value.
      "\x4a\x04\x12\x02\x2a\x01",      // And for an array.
      "\x5a\x01\x09",                  // An event.
      "\x6a\x01\x0a",                  // A link.
      "\x7a\x01\x12"};                 // The status.
  for (std::size_t i = 0; i < broken.size(); ++i) {
    const Scanned scanned =
        scan_spans({otlp_span(1, 1), otlp_span(1, 2).raw(broken[i]), otlp_span(1, 3)});
    ASSERT_TRUE(scanned.status().ok()) << i;
    EXPECT_EQ(scanned.rejects(),
              (std::vector{RejectReason::kNone, RejectReason::kMalformedItem, RejectReason::kNone}))
        << i;
  }
}

TEST(ScanFraming, PackedFieldsMustBeWhole) {
  const auto reject = [](MetricKind kind, ProtoMessage point) {
    return reject_of(Signal::kMetrics, otlp_metric("m", kind, {std::move(point)}));
  };
  using enum MetricKind;
  EXPECT_EQ(reject(kHistogram, ProtoMessage().bytes(6, std::string(16, 'x'))), RejectReason::kNone);
  EXPECT_EQ(reject(kHistogram, ProtoMessage().bytes(6, "1234567")), RejectReason::kMalformedItem);
  EXPECT_EQ(reject(kHistogram, ProtoMessage().bytes(7, "123456789")), RejectReason::kMalformedItem);
  const auto buckets = [&](std::string_view counts) {
    return reject(kExponentialHistogram,
                  ProtoMessage().message(9, ProtoMessage().bytes(2, counts)));
  };
  EXPECT_EQ(buckets("\x01\x80\x01\x7f"), RejectReason::kNone);
  EXPECT_EQ(buckets("\x01\x80"), RejectReason::kMalformedItem);
}

TEST(ScanFraming, ABrokenResourceOrScopeMessageTakesItsItemsWithIt) {
  ProtoMessage resource;
  resource.bytes(1, "\x0a").message(2, otlp_scope("s", {otlp_span(1, 1), otlp_span(1, 2)}));
  ProtoMessage scope;
  scope.message(2, otlp_span(1, 1)).bytes(1, "\x0a\x09");
  const Scanned scanned(Signal::kTraces,
                        otlp_request({resource, otlp_resource("a", {scope})}).encode());
  ASSERT_TRUE(scanned.status().ok());
  EXPECT_EQ(scanned.rejects(), std::vector(3, RejectReason::kMalformedItem));
}

TEST(ScanFraming, ABrokenEnvelopeRefusesTheRequest) {
  ProtoMessage bad_scope = otlp_scope("s", {otlp_span(1, 1)});
  bad_scope.raw("\x0b");
  ProtoMessage bad_resource = otlp_resource("a", {otlp_scope("s", {otlp_span(1, 1)})});
  bad_resource.raw(std::string(1, '\0'));
  const std::string good = otlp_request_of({otlp_span(1, 1)});
  for (const std::string& payload :
       {otlp_request({otlp_resource("a", {bad_scope})}).encode(),
        otlp_request({bad_resource}).encode(), good + "\x0b", good + "\x0a", good + "\x0a\x7f",
        good + std::string(200'000, '\x0b'), std::string("plain text, not protobuf"), kGzipLike,
        std::string("{\"resourceSpans\":[]}")}) {
    const Scanned scanned(Signal::kTraces, payload);
    ASSERT_FALSE(scanned.status().ok());
    EXPECT_EQ(scanned.status().error().code, Code::kInvalidArgument);
    EXPECT_EQ(scanned.status().error().refusal, Refusal::kData);
    EXPECT_STREQ(scanned.status().error().reason, "malformed_request");
    EXPECT_THAT(scanned.status().error().message, HasSubstr("at byte "));
  }
}

// Cut at every byte: refused, or its last item rejected; never taken for whole.
TEST(ScanFraming, EveryTruncationIsNoticed) {
  const std::vector<ProtoMessage> attributes = {otlp_attribute("k", "v"),
                                                otlp_attribute("n", nested(4, true)),
                                                otlp_attribute("i", otlp_int(-1))};
  const std::string whole = otlp_request_of(
      {otlp_span(1, 1, "first", attributes), otlp_span(2, 2, "second", attributes)});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    // On the heap in its exact size, so that AddressSanitizer sees reads behind it.
    const Scanned scanned(Signal::kTraces, std::string(whole, 0, size));
    EXPECT_FALSE(scanned.status().ok()) << size;
  }
  // The same inside the item: here the envelope is whole.
  const std::string span = otlp_span(1, 1, "name", attributes).encode();
  for (std::size_t size = 0; size < span.size(); ++size) {
    const Scanned scanned(Signal::kTraces,
                          otlp_request_of({ProtoMessage().raw(span.substr(0, size))}));
    ASSERT_TRUE(scanned.status().ok()) << size;
    EXPECT_EQ(scanned.index().items.size(), 1u);
  }
}

TEST(ScanFraming, AForeignWireTypeMakesAKnownFieldUnknown) {
  // A name as varint, an attribute as fixed64, a start time as bytes.
  EXPECT_EQ(reject_of_span(otlp_span(1, 1).varint(5, 7).fixed64(9, 1).bytes(7, "\xff")),
            RejectReason::kNone);
  // The items' field as a varint is no item, but part of the prefix.
  ProtoMessage scope = otlp_scope("s", {otlp_span(1, 1)});
  scope.varint(2, 5);
  const Scanned scanned(Signal::kTraces, otlp_request({otlp_resource("a", {scope})}).encode());
  EXPECT_EQ(scanned.index().accepted, 1u);
  EXPECT_EQ(scanned.index().items.size(), 1u);
}

TEST(ScanReason, HasAStableName) {
  EXPECT_EQ(to_string(RejectReason::kInvalidUtf8), "invalid_utf8");
  EXPECT_EQ(to_string(RejectReason::kMalformedItem), "malformed_item");
  EXPECT_EQ(to_string(RejectReason::kNone), "none");
}

}  // namespace
}  // namespace spanway::otlp
