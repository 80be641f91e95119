#include "services/lib/clickhouse/clickhouse_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/clickhouse/native_writer.h"
#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::clickhouse {
namespace {

using fakes::SeenRequest;

http::Response clickhouse_answer(int status, std::string_view body, const char* exception = "") {
  http::Response response = fakes::http_answer(status, body);
  response.headers.add("x-clickhouse-query-id", "1");
  if (*exception != '\0') response.headers.add("x-clickhouse-exception-code", exception);
  return response;
}

block::Block one_row() {
  const block::Field fields[] = {{"a", block::parse_type("String").value()},
                                 {"b.c", block::parse_type("String").value()}};
  block::Block block(fields);
  block.get<block::StringColumn>("a").append("x");
  block.get<block::StringColumn>("b.c").append("y");
  return block;
}

class ClientTest : public testing::Test {
 protected:
  Client& client() {
    if (!client_) {
      ClientOptions options;
      options.url = backend_.url();
      options.database = "otel";
      options.username = "spanway";
      options.password = Secret("hush");
      auto created = Client::create(options, nullptr, io_, system_clock());
      SPANWAY_CHECK(created.ok());
      client_ = std::move(created).value();
    }
    return *client_;
  }
  Deadline soon() { return Deadline::after(system_clock(), std::chrono::seconds(20)); }
  Client::OnEnd end() {
    return [this](Status status) { ended_.set_value(std::move(status)); };
  }
  Status result() {
    auto future = ended_.get_future();
    if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      return unknown_error(Code::kUnknown, "no answer");
    return future.get();
  }

  fakes::FakeHttpBackend backend_;
  http::IoPool io_{"clickhouse", 1};
  std::promise<Status> ended_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, ANewPasswordInItsFileIsUsedAfterFiveSeconds) {
  backend_.answer_with([](const SeenRequest&) { return clickhouse_answer(200, ""); });
  const std::string path = testing::TempDir() + "client_test." + std::to_string(::getpid());
  fakes::ManualClock clock;
  ClientOptions options;
  options.url = backend_.url();
  options.username = "spanway";
  options.password = Secret("one", "${file:" + path + "}");
  const auto created = Client::create(options, nullptr, io_, clock);
  ASSERT_TRUE(created.ok());
  std::ofstream(path) << "two\n";
  for (const char* password : {"one", "two"}) {
    ended_ = {};
    created.value()->execute({.sql = "SELECT 1", .parameters = {}, .settings = {}}, soon(), end());
    EXPECT_TRUE(result().ok());
    EXPECT_EQ(backend_.requests().back().head.headers.get("x-clickhouse-key"), password);
    clock.advance(std::chrono::seconds(5));
  }
  std::filesystem::remove(path);
}

TEST_F(ClientTest, AnInsertNamesItsColumnsSettingsAndUser) {
  backend_.answer_with([](const SeenRequest&) { return clickhouse_answer(200, ""); });
  const block::Block block = one_row();
  EXPECT_EQ(insert_sql("spans", block), "INSERT INTO `spans` (`a`, `b.c`) FORMAT Native");
  client().insert({.sql = insert_sql("spans", block),
                   .body = Bytes("block"),
                   .content_encoding = "zstd",
                   .settings = {{"insert_deduplication_token", "t:0:1-2/spans/2026-01-01"}}},
                  soon(), end());
  EXPECT_TRUE(result().ok());
  const SeenRequest seen = backend_.requests().at(0);
  EXPECT_EQ(seen.body, "block");
  EXPECT_EQ(seen.head.headers.get("content-encoding"), "zstd");
  EXPECT_EQ(seen.head.headers.get("x-clickhouse-user"), "spanway");
  EXPECT_EQ(seen.head.headers.get("x-clickhouse-key"), "hush");
  EXPECT_EQ(seen.head.query,
            "database=otel&query=INSERT%20INTO%20%60spans%60%20%28%60a%60%2C%20%60b.c%60%29%20"
            "FORMAT%20Native&insert_deduplication_token=t%3A0%3A1-2%2Fspans%2F2026-01-01&"
            "wait_end_of_query=1");
}

TEST_F(ClientTest, ASelectGivesItsBlocksInOrder) {
  Bytes answer;
  append_native(one_row(), answer);
  append_native(one_row(), answer);
  backend_.answer_with([&](const SeenRequest&) { return clickhouse_answer(200, answer.view()); });
  std::vector<std::string> values;
  Query query{.sql = "SELECT a FROM t WHERE a = {a:String}", .parameters = {}, .settings = {}};
  query.parameters.add("a", "it's");
  client().select(
      std::move(query), soon(),
      [&](block::Block block) {
        values.emplace_back(block.get<block::StringColumn>("a").at(0));
        return ok_status();
      },
      end());
  EXPECT_TRUE(result().ok());
  EXPECT_EQ(values, (std::vector<std::string>{"x", "x"}));
  const SeenRequest seen = backend_.requests().at(0);
  EXPECT_EQ(seen.body, "SELECT a FROM t WHERE a = {a:String}");
  EXPECT_NE(seen.head.query.find("param_a=it%5C%27s"), std::string::npos);
  EXPECT_NE(seen.head.query.find("wait_end_of_query=1"), std::string::npos);
}

TEST_F(ClientTest, ABrokenBlockEndsTheSelect) {
  Bytes answer;
  append_native(one_row(), answer);
  append_native(one_row(), answer);
  answer.resize(answer.size() - 1);
  backend_.answer_with([&](const SeenRequest&) { return clickhouse_answer(200, answer.view()); });
  int blocks = 0;
  client().select(
      {.sql = "SELECT 1", .parameters = {}, .settings = {}}, soon(),
      [&](const block::Block&) {
        ++blocks;
        return ok_status();
      },
      end());
  const Status status = result();
  ASSERT_FALSE(status.ok());
  EXPECT_STREQ(status.error().reason, "malformed_block");
  EXPECT_EQ(blocks, 1);
}

TEST_F(ClientTest, TheReceiversErrorEndsTheSelect) {
  Bytes answer;
  append_native(one_row(), answer);
  append_native(one_row(), answer);
  backend_.answer_with([&](const SeenRequest&) { return clickhouse_answer(200, answer.view()); });
  int blocks = 0;
  client().select(
      {.sql = "SELECT 1", .parameters = {}, .settings = {}}, soon(),
      [&](const block::Block&) -> Status {
        ++blocks;
        return transient_error(Code::kResourceExhausted, "too much");
      },
      end());
  EXPECT_EQ(result().error().message, "too much");
  EXPECT_EQ(blocks, 1);
}

TEST_F(ClientTest, AnExceptionHasItsKindAndNamesTheServer) {
  backend_.answer_with(
      [](const SeenRequest&) { return clickhouse_answer(404, "Code: 60. no table", "60"); });
  client().execute({.sql = "DROP TABLE x", .parameters = {}, .settings = {}}, soon(), end());
  const Status status = result();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kConfiguration);
  EXPECT_NE(status.error().message.find(backend_.address()), std::string::npos);
  EXPECT_EQ(status.error().message.find("hush"), std::string::npos);
}

TEST_F(ClientTest, ALargeAnswerIsAnErrorOfASelectAndNoneOfAnInsert) {
  backend_.answer_with(
      [](const SeenRequest&) { return clickhouse_answer(200, std::string(65u << 20, 'x')); });
  client().insert({.sql = "INSERT", .body = Bytes("b"), .content_encoding = "", .settings = {}},
                  soon(), end());
  EXPECT_TRUE(result().ok());
  ended_ = {};
  client().select(
      {.sql = "SELECT 1", .parameters = {}, .settings = {}}, soon(),
      [](const block::Block&) { return ok_status(); }, end());
  EXPECT_FALSE(result().ok());
}

TEST_F(ClientTest, SomethingElseThatAnswersIsAConfigurationError) {
  backend_.answer_with(200);
  client().execute({.sql = "SELECT 1", .parameters = {}, .settings = {}}, soon(), end());
  const Status status = result();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kConfiguration);
  EXPECT_STREQ(status.error().reason, "not_clickhouse");
}

TEST_F(ClientTest, NoListenerIsTransient) {
  client();
  backend_.stop();
  client().execute({.sql = "SELECT 1", .parameters = {}, .settings = {}}, soon(), end());
  const Status status = result();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kTransient);
}

TEST_F(ClientTest, DestructionEndsWhatIsUnderWay) {
  backend_.answer_with([](const SeenRequest&) { return std::nullopt; });
  client().execute({.sql = "SELECT 1", .parameters = {}, .settings = {}}, soon(), end());
  ASSERT_TRUE(backend_.wait_for_requests(1));
  client_.reset();
  const Status status = result();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kTransient);
}

}  // namespace
}  // namespace spanway::clickhouse
