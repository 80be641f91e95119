// Strings, nesting, sizes and framing that the scan refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/split.h"
#include "tests/unit/otlp/scan_fixture.h"

namespace spanway::otlp {
namespace {

using namespace spanway::fakes;
using ::testing::HasSubstr;

// --- UTF-8 ---

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
    const ScannedRequest scanned(
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
    const ScannedRequest scanned(Signal::kTraces, otlp_request({good, bad}).encode());
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
    const ScannedRequest fits(Signal::kTraces, larger, {.item_bytes_max = payload.size()});
    EXPECT_EQ(fits.index().accepted, 2u);
    const ScannedRequest over(Signal::kTraces, larger, {.item_bytes_max = payload.size() - 1});
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
  const ScannedRequest scanned(Signal::kTraces, payload, {.prefix_bytes_max = 200});
  EXPECT_EQ(scanned.rejects(), (std::vector{RejectReason::kPrefixTooLarge, RejectReason::kNone}));
  EXPECT_EQ(ScannedRequest(Signal::kTraces, payload, {.prefix_bytes_max = 500}).index().rejected,
            0u);
}

TEST(ScanSize, RequestLimits) {
  const std::string payload = otlp_request_of({otlp_span(1, 1)});
  EXPECT_TRUE(ScannedRequest(Signal::kTraces, payload, {.request_bytes_max = payload.size()})
                  .status()
                  .ok());
  const ScannedRequest large(Signal::kTraces, payload, {.request_bytes_max = payload.size() - 1});
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
    const ScannedRequest scanned(Signal::kTraces, payloads[i], {.submessages_max = 99});
    ASSERT_FALSE(scanned.status().ok()) << i;
    EXPECT_STREQ(scanned.status().error().reason, "too_many_submessages");
    EXPECT_EQ(scanned.status().error().refusal, Refusal::kData);
    EXPECT_TRUE(
        ScannedRequest(Signal::kTraces, payloads[i], {.submessages_max = 200}).status().ok())
        << i;
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
    const ScannedRequest scanned =
        scan_spans({otlp_span(1, 1), otlp_span(1, 2).raw(broken[i]), otlp_span(1, 3)});
    ASSERT_TRUE(scanned.status().ok()) << i;
    EXPECT_EQ(scanned.rejects(),
              (std::vector{RejectReason::kNone, RejectReason::kMalformedItem, RejectReason::kNone}))
        << i;
  }
}

TEST(ScanFraming, PackedFieldsMustBeComplete) {
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
  const ScannedRequest scanned(Signal::kTraces,
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
    const ScannedRequest scanned(Signal::kTraces, payload);
    ASSERT_FALSE(scanned.status().ok());
    EXPECT_EQ(scanned.status().error().code, Code::kInvalidArgument);
    EXPECT_EQ(scanned.status().error().refusal, Refusal::kData);
    EXPECT_STREQ(scanned.status().error().reason, "malformed_request");
    EXPECT_THAT(scanned.status().error().message, HasSubstr("at byte "));
  }
}

// Cut at every byte: refused, or its last item rejected; never taken for complete.
TEST(ScanFraming, EveryTruncationIsNoticed) {
  const std::vector<ProtoMessage> attributes = {otlp_attribute("k", "v"),
                                                otlp_attribute("n", nested(4, true)),
                                                otlp_attribute("i", otlp_int(-1))};
  const std::string complete = otlp_request_of(
      {otlp_span(1, 1, "first", attributes), otlp_span(2, 2, "second", attributes)});
  for (std::size_t size = 1; size < complete.size(); ++size) {
    // On the heap in its exact size, so that AddressSanitizer sees reads behind it.
    const ScannedRequest scanned(Signal::kTraces, std::string(complete, 0, size));
    EXPECT_FALSE(scanned.status().ok()) << size;
  }
  // The same inside the item: here the envelope is complete.
  const std::string span = otlp_span(1, 1, "name", attributes).encode();
  for (std::size_t size = 0; size < span.size(); ++size) {
    const ScannedRequest scanned(Signal::kTraces,
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
  const ScannedRequest scanned(Signal::kTraces,
                               otlp_request({otlp_resource("a", {scope})}).encode());
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
