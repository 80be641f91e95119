#include "services/lib/sinks/clickhouse/insert_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::sinks {
namespace {

using testing::Contains;
using testing::Not;
using testing::Pair;

block::Block rows_at(std::int64_t time, std::string_view span) {
  const std::vector<block::Field> fields = {
      {"ts", block::parse_type("DateTime64(9)").value()},
      {"span_id", block::parse_type("FixedString(8)").value()}};
  block::Block rows(fields);
  rows.get<block::FixedColumn>("ts").append(time);
  rows.get<block::FixedColumn>("span_id").append_text(span);
  return rows;
}

std::string token_of(std::int64_t time, std::string_view span) {
  return deduplication_token("otel.traces:3:10-99:acme", "spans", 20'454, rows_at(time, span));
}

TEST(InsertSettings, ATokenNamesBatchTableAndDay) {
  EXPECT_THAT(token_of(1, "a"), testing::StartsWith("otel.traces:3:10-99:acme/spans/2026-01-01/"));
  EXPECT_EQ(deduplication_token("", "spans", 20'454, rows_at(1, "a")), "");
}

TEST(InsertSettings, OtherRowsOfTheSameOffsetsHaveAnotherToken) {
  EXPECT_EQ(token_of(1, "a"), token_of(1, "a"));
  EXPECT_NE(token_of(1, "a"), token_of(2, "a"));
  EXPECT_NE(token_of(1, "a"), token_of(1, "b"));
}

TEST(InsertSettings, DaysAreDates) {
  EXPECT_EQ(date_text(0), "1970-01-01");
  EXPECT_EQ(date_text(11'016), "2000-02-29");
  EXPECT_EQ(date_text(49'308), "2105-01-01");
}

TEST(InsertSettings, ADataBlockIsOnePart) {
  const auto settings = data_settings({}, "token");
  EXPECT_THAT(settings, Contains(Pair("async_insert", "0")));
  EXPECT_THAT(settings, Contains(Pair("insert_deduplication_token", "token")));
  EXPECT_THAT(settings, Contains(Pair("max_partitions_per_insert_block", "2")));
  EXPECT_THAT(settings, Contains(Pair("deduplicate_blocks_in_dependent_materialized_views", "1")));
  EXPECT_THAT(settings, Not(Contains(Pair("insert_quorum", testing::_))));
}

TEST(InsertSettings, WithoutATokenThereIsNoneToSend) {
  EXPECT_THAT(data_settings({}, ""), Not(Contains(Pair("insert_deduplication_token", testing::_))));
}

TEST(InsertSettings, ClustersWaitForTheShardAndTheQuorum) {
  const auto settings = dictionary_settings({.quorum = 2, .distributed = true});
  EXPECT_THAT(settings, Contains(Pair("insert_quorum", "2")));
  EXPECT_THAT(settings, Contains(Pair("distributed_foreground_insert", "1")));
}

}  // namespace
}  // namespace spanway::sinks
