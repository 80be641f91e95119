#include "services/load/request_template.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/scan.h"
#include "services/load/item_finder.h"
#include "services/load/item_id.h"

namespace spanway::load {
namespace {

using otlp::Signal;

constexpr std::uint64_t kRun = make_run(77);
constexpr std::uint64_t kDue = 1'767'225'600'000'000'000;

class RequestTemplateTest : public testing::TestWithParam<Signal> {
 protected:
  RequestTemplate make(TemplateOptions options) {
    Random random(5);
    return RequestTemplate(GetParam(), options, random);
  }
};

TEST_P(RequestTemplateTest, IsAValidRequestWithThatManyItems) {
  const RequestTemplate request = make({.items = 100});
  const Bytes bytes = request.stamp(kRun, 1, kDue);
  otlp::Scanner scanner;
  ASSERT_TRUE(scanner.scan(GetParam(), bytes.view()).ok());
  EXPECT_EQ(scanner.index().accepted, 100u);
  EXPECT_EQ(scanner.index().rejected, 0u) << scanner.index().reject_message;
}

TEST_P(RequestTemplateTest, NumbersItemsOnWithTheirTime) {
  const RequestTemplate request = make({.items = 40});
  FoundItems found;
  ASSERT_TRUE(find_items(GetParam(), request.stamp(kRun, 1001, kDue).view(), found));
  EXPECT_EQ(found.foreign, 0u);
  ASSERT_EQ(found.items.size(), 40u);
  for (std::size_t i = 0; i < found.items.size(); ++i) {
    EXPECT_EQ(found.items[i].run, kRun);
    EXPECT_EQ(found.items[i].number, 1001 + i);
    EXPECT_EQ(found.items[i].due_unix_nano, kDue);
  }
}

TEST_P(RequestTemplateTest, IsTheSameInEveryRetryAndAnotherForEveryRun) {
  const RequestTemplate request = make({.items = 3});
  EXPECT_EQ(request.stamp(kRun, 1, kDue).view(), request.stamp(kRun, 1, kDue).view());
  EXPECT_NE(request.stamp(kRun, 1, kDue).view(), request.stamp(kRun, 4, kDue).view());
  EXPECT_NE(request.stamp(kRun, 1, kDue).view(), request.stamp(make_run(78), 1, kDue).view());
}

TEST_P(RequestTemplateTest, ItemsHaveTheSizeThatIsRequested) {
  const std::size_t frame = make({.items = 1, .item_bytes = 1000}).size() - 1000;
  for (const std::size_t size : {240u, 770u, 771u, 772u, 2000u, 20'000u}) {
    const RequestTemplate request = make({.items = 1, .item_bytes = size});
    // Lengths of the enclosing messages take some bytes more when they grow.
    EXPECT_NEAR(static_cast<double>(request.size()), static_cast<double>(size + frame), 8) << size;
    EXPECT_EQ(request.stamp(kRun, 1, kDue).size(), request.size());
  }
}

TEST_P(RequestTemplateTest, IsReadableAsJson) {
  const auto json =
      otlp::protobuf_to_json(GetParam(), make({.items = 2}).stamp(kRun, 1, kDue).view());
  ASSERT_TRUE(json.ok());
  EXPECT_NE(json->find("load-0"), std::string::npos);
  const auto back = otlp::json_to_protobuf(GetParam(), *json);
  ASSERT_TRUE(back.ok());
  FoundItems found;
  ASSERT_TRUE(find_items(GetParam(), back->view(), found));
  ASSERT_EQ(found.items.size(), 2u);
  EXPECT_EQ(found.items[1].number, 2u);
  EXPECT_EQ(found.items[1].due_unix_nano, kDue);
}

INSTANTIATE_TEST_SUITE_P(EverySignal, RequestTemplateTest, testing::ValuesIn(otlp::kSignals),
                         [](const auto& signal) {
                           return std::string(otlp::to_string(signal.param));
                         });

TEST(SpanTemplate, MakesTracesOfTheRequestedSizeWithOneRootEach) {
  Random random(5);
  const RequestTemplate request(Signal::kTraces, {.items = 40, .spans_per_trace = 16}, random);
  const std::string json =
      otlp::protobuf_to_json(Signal::kTraces, request.stamp(kRun, 101, kDue).view()).value();
  std::map<std::string, int> traces;
  int roots = 0;
  for (std::size_t at = json.find("\"traceId\":\""); at != std::string::npos;
       at = json.find("\"traceId\":\"", at + 1)) {
    ++traces[json.substr(at + 11, 32)];
    const std::size_t name = json.find("\"name\"", at);
    roots += json.substr(at, name - at).find("parentSpanId") == std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(roots, 3);
  EXPECT_EQ(traces, (std::map<std::string, int>{{to_hex(kRun) + to_hex(101), 16},
                                                {to_hex(kRun) + to_hex(117), 16},
                                                {to_hex(kRun) + to_hex(133), 8}}));
}

}  // namespace
}  // namespace spanway::load
