#include "services/lib/clickhouse/select_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/lib/base/thread.h"
#include "services/lib/block/column.h"
#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/lib/clickhouse/native_writer.h"
#include "tests/fakes/fake_clickhouse.h"

namespace spanway::clickhouse {
namespace {

using fakes::SeenRequest;
using sinks::clickhouse_answer;
using testing::HasSubstr;

std::string one_row() {
  const block::Field fields[] = {{"a", block::parse_type("String").value()}};
  block::Block block(fields);
  block.get<block::StringColumn>("a").append("x");
  Bytes bytes;
  append_native(block, bytes);
  return std::string(bytes.view());
}

class SelectStreamTest : public testing::Test {
 protected:
  SelectStreamTest() {
    ClientOptions options;
    options.url = backend_.url();
    options.database = "otel";
    client_ = Client::create(options, nullptr, io_, system_clock()).value();
  }
  std::unique_ptr<SelectStream> open(const Select& select = {
                                         .sql = {"SELECT 1"}, .parameters = {}, .limits = {}}) {
    return client_->stream(select, Deadline::after(system_clock(), std::chrono::seconds(20)));
  }
  void answer(http::Response response) {
    backend_.answer_with([body = std::string(response.body.view()), head = response.headers,
                          status = response.status](const SeenRequest&) {
      http::Response copy{.status = status, .headers = head, .body = Bytes(body), .trailers = {}};
      return copy;
    });
  }

  fakes::FakeHttpBackend backend_;
  http::IoPool io_{"clickhouse", 1};
  std::unique_ptr<Client> client_;
};

TEST_F(SelectStreamTest, GivesBlocksAndThenTheEnd) {
  answer(clickhouse_answer(200, one_row() + one_row()));
  const auto stream = open();
  for (int i = 0; i < 2; ++i) {
    auto block = stream->next();
    ASSERT_TRUE(block.ok()) << block.error().message;
    ASSERT_TRUE(block->has_value());
  }
  for (int i = 0; i < 2; ++i) {
    const auto end = stream->next();
    ASSERT_TRUE(end.ok());
    EXPECT_FALSE(end->has_value());
  }
  EXPECT_EQ(stream->cost().blocks, 2u);
}

TEST_F(SelectStreamTest, SendsParametersAndLimitsBesideTheText) {
  answer(clickhouse_answer(200, ""));
  Select select{.sql = {"SELECT a FROM t WHERE a = {a:String}"},
                .parameters = {},
                .limits = {.rows_read = 7, .bytes_read = 8, .memory_bytes = 9, .threads = 2}};
  select.parameters.add("a", "it's");
  ASSERT_TRUE(open(select)->next().ok());
  const SeenRequest seen = backend_.requests().at(0);
  EXPECT_EQ(seen.head.method, "GET");
  for (const char* part : {"max_rows_to_read=7", "max_bytes_to_read=8", "max_memory_usage=9",
                           "max_threads=2", "cancel_http_readonly_queries_on_client_close=1",
                           "param_a=it%5C%27s", "max_execution_time="})
    EXPECT_THAT(seen.head.query, HasSubstr(part));
}

TEST_F(SelectStreamTest, AnAnswerThatEndsWithinABlockIsAnErrorForGood) {
  answer(clickhouse_answer(200, one_row() + one_row().substr(0, 5)));
  const auto stream = open();
  ASSERT_TRUE(stream->next().ok());
  for (int i = 0; i < 2; ++i) {
    const auto cut = stream->next();
    ASSERT_FALSE(cut.ok());
    EXPECT_EQ(cut.error().refusal, Refusal::kTransient);
    EXPECT_STREQ(cut.error().reason, "truncated_answer");
  }
}

TEST_F(SelectStreamTest, ARefusalHasItsKindAndTheServersText) {
  answer(clickhouse_answer(500, "Code: 158. DB::Exception: too many rows", "158"));
  const auto refused = open()->next();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("too many rows"));
}

TEST_F(SelectStreamTest, WhatIsNotClickHouseIsAConfigurationError) {
  answer(fakes::http_answer(200, "hello"));
  const auto other = open()->next();
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().refusal, Refusal::kConfiguration);
}

TEST_F(SelectStreamTest, CancelEndsAWaitingCall) {
  backend_.answer_with([](const SeenRequest&) { return std::nullopt; });
  const auto stream = open();
  const auto canceller = start_thread("cancel", [&](std::stop_token) {
    backend_.wait_for_requests(1);
    stream->cancel();
  });
  const auto cancelled = stream->next();
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace spanway::clickhouse
