// Loki's API over a store that reaches a bound.
#include "services/query/api/loki/loki_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/query/store/memory/memory_log_store.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/query/api_caller.h"

namespace spanway::query::loki {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::uint64_t kTime = 1'767'225'600'000'000'000;

// Answers so many times as its memory does, and with an error afterwards.
class TiringStore final : public LogStore {
 public:
  explicit TiringStore(LogStore& real) : real_(real) {}
  Result<std::vector<LogStream>> streams(std::span<const LabelMatcher> matchers, TimeRange range,
                                         QueryContext& context) override {
    return real_.streams(matchers, range, context);
  }
  Result<BlockStreamPtr> select(const LogSelect& query, QueryContext& context) override {
    if (error && selects-- <= 0) return Error(*error);
    return real_.select(query, context);
  }
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override {
    return real_.resources_of(ids, context);
  }
  Result<std::vector<LogVolume>> volume(std::span<const LabelMatcher> matchers, TimeRange range,
                                        QueryContext& context) override {
    return real_.volume(matchers, range, context);
  }
  int selects = 0;
  std::optional<Error> error;

 private:
  LogStore& real_;
};

class LokiApiTest : public testing::Test {
 protected:
  LokiApiTest() {
    std::vector<fakes::ProtoMessage> records;
    for (std::uint64_t i = 0; i < 300; ++i)
      records.push_back(fakes::otlp_log_record("line " + std::to_string(i), {}, {},
                                               {fakes::otlp_attribute("odd", i % 2 ? "1" : "0")})
                            .fixed64(1, kTime + i * 1'000'000'000));
    EXPECT_TRUE(memory_.add("", fakes::otlp_request_of(records)).ok());
  }
  ApiCaller::Answer query(const std::string& text, const std::string& more = "") {
    ApiCaller caller(api_, context_);
    return caller.call("/loki/api/v1/query_range",
                       "query=" + text + "&start=" + std::to_string(kTime) +
                           "&end=" + std::to_string(kTime + 300'000'000'000) + more);
  }
  static std::size_t lines_in(const std::string& body) {
    std::size_t lines = 0;
    for (std::size_t at = body.find("\"line "); at != std::string::npos;
         at = body.find("\"line ", at + 1))
      ++lines;
    return lines;
  }

  MemoryLogStore memory_;
  TiringStore store_{memory_};
  LokiApi api_{store_, system_clock()};
  QueryContext context_;
};

TEST_F(LokiApiTest, AListThatReachesABoundHasWhatWasReadAndAWarning) {
  store_.error = data_error(Code::kResourceExhausted, "too many rows");
  store_.selects = 1;
  const auto newest = query("%7Bservice_name%3D%22shop%22%7D+%7C+odd%3D%221%22");
  EXPECT_EQ(newest.status, 200);
  EXPECT_THAT(
      newest.body,
      StartsWith(R"({"status":"success","warnings":["searched back to 2026-01-01T00:03:20.000Z )"
                 R"(only: too many rows"],"data":{"resultType":"streams")"));
  EXPECT_EQ(lines_in(newest.body), 50u) << "of the newest hundred";
  EXPECT_FALSE(context_.coverage.complete);

  store_.selects = 1;
  const auto oldest =
      query("%7Bservice_name%3D%22shop%22%7D+%7C+odd%3D%221%22", "&direction=forward");
  EXPECT_THAT(oldest.body,
              HasSubstr(R"("warnings":["searched up to 2026-01-01T00:01:39.000Z only)"));
  EXPECT_EQ(lines_in(oldest.body), 49u) << "the last one of the page comes with the next one";
}

TEST_F(LokiApiTest, AWholeListHasNoWarning) {
  const auto answer = query("%7Bservice_name%3D%22shop%22%7D+%7C+odd%3D%221%22", "&limit=500");
  EXPECT_EQ(lines_in(answer.body), 150u);
  EXPECT_THAT(answer.body, Not(HasSubstr("warnings")));
}

TEST_F(LokiApiTest, WithoutAnyPageAndForAMetricABoundIsAnError) {
  store_.error = data_error(Code::kResourceExhausted, "too many rows");
  const auto list = query("%7Bservice_name%3D%22shop%22%7D");
  EXPECT_EQ(list.status, 400);
  EXPECT_EQ(list.body, "too many rows\n");
  EXPECT_EQ(query("count_over_time(%7Bservice_name%3D%22shop%22%7D%5B1m%5D)", "&step=60").status,
            400);
}

}  // namespace
}  // namespace spanway::query::loki
