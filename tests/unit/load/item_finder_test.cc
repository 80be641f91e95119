#include "services/load/item_finder.h"

#include <gtest/gtest.h>

#include <string>

#include "services/lib/otlp/wire.h"
#include "services/load/item_id.h"
#include "services/load/request_template.h"

namespace spanway::load {
namespace {

using otlp::Signal;
using otlp::wire::Writer;

// A request with one resource, one scope and this one item.
std::string request_with(const Bytes& item) {
  Bytes bytes;
  Writer out(bytes);
  const auto resource = out.begin(1);
  const auto scope = out.begin(2);
  out.bytes(2, item.view());
  out.end(scope);
  out.end(resource);
  return std::string(bytes.view());
}

TEST(ItemFinder, FindsNothingInAnEmptyRequest) {
  FoundItems found;
  for (const Signal signal : otlp::kSignals) {
    EXPECT_TRUE(find_items(signal, "", found));
    EXPECT_TRUE(found.items.empty());
  }
}

TEST(ItemFinder, CountsItemsOfOthersAsForeign) {
  Bytes span;
  Writer(span).bytes(1, "0123456789abcdef");
  Writer(span).bytes(2, "12345678");
  FoundItems found;
  ASSERT_TRUE(find_items(Signal::kTraces, request_with(span), found));
  EXPECT_TRUE(found.items.empty());
  EXPECT_EQ(found.foreign, 1u);

  Bytes log;
  Writer(log).bytes(3, "INFO");
  ASSERT_TRUE(find_items(Signal::kLogs, request_with(log), found));
  EXPECT_EQ(found.foreign, 1u);
}

TEST(ItemFinder, CountsPointsOfOtherMetricTypesAsForeign) {
  Bytes metric;
  Writer out(metric);
  out.bytes(1, "name");
  const auto histogram = out.begin(9);
  out.bytes(1, "");
  out.bytes(1, "");
  out.end(histogram);
  FoundItems found;
  ASSERT_TRUE(find_items(Signal::kMetrics, request_with(metric), found));
  EXPECT_EQ(found.foreign, 2u);
}

TEST(ItemFinder, TakesFieldsInAnyOrder) {
  Bytes log;
  Writer out(log);
  const auto attribute = out.begin(6);
  const auto value = out.begin(2);
  out.bytes(1,
            "5357000000000001"
            "000000000000002a");
  out.end(value);
  out.bytes(1, kIdAttribute);
  out.end(attribute);
  out.fixed64(1, 99);
  FoundItems found;
  ASSERT_TRUE(find_items(Signal::kLogs, request_with(log), found));
  ASSERT_EQ(found.items.size(), 1u);
  EXPECT_EQ(found.items[0].run, 0x5357000000000001u);
  EXPECT_EQ(found.items[0].number, 42u);
  EXPECT_EQ(found.items[0].due_unix_nano, 99u);
}

TEST(ItemFinder, NeverReadsPastATruncatedRequest) {
  Random random(1);
  for (const Signal signal : otlp::kSignals) {
    const Bytes complete =
        RequestTemplate(signal, {.items = 3, .item_bytes = 200}, random).stamp(make_run(1), 1, 1);
    FoundItems found;
    ASSERT_TRUE(find_items(signal, complete.view(), found));
    for (std::size_t size = 1; size < complete.size(); ++size) {
      // A copy of its own, so that AddressSanitizer sees a byte too many.
      const std::string cut(complete.view().substr(0, size));
      EXPECT_FALSE(find_items(signal, cut, found)) << size;
    }
  }
}

}  // namespace
}  // namespace spanway::load
