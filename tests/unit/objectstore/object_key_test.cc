#include "services/lib/objectstore/object_key.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::objectstore {
namespace {

constexpr std::int64_t kNewYearMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

TEST(ObjectKey, NamesTenantDateHourAndWhatTheObjectHolds) {
  const ObjectName name{.min_ms = kNewYearMs + 9 * 3'600'000,
                        .max_ms = kNewYearMs + 9 * 3'600'000 + 5,
                        .rows = 42,
                        .batch = batch_name("otel.traces:3:17-40:acme")};
  const std::string key =
      hour_folder("a/b", StoredTable::kSpans, "acme", name.min_ms) + to_string(name);
  EXPECT_EQ(key,
            "a/b/v1/traces/tenant=acme/date=2026-01-01/hour=09/"
            "1767258000000-1767258000005-42-otel.traces-3-17-40-acme.parquet");
  EXPECT_EQ(parse_object_name(name_of_key(key)), name);
  EXPECT_EQ(hour_of_folder(key), kNewYearMs + 9 * 3'600'000);
  EXPECT_TRUE(key.starts_with(tenant_folder("a/b", StoredTable::kSpans, "acme")));
}

TEST(ObjectKey, AnEmptyPrefixOrTenantHasItsOwnFolder) {
  EXPECT_EQ(hour_folder("", StoredTable::kLogs, "", kNewYearMs),
            "v1/logs/tenant=_/date=2026-01-01/hour=00/");
}

TEST(ObjectKey, NoTenantsFolderIsThatOfTelemetryWithoutATenant) {
  EXPECT_EQ(tenant_folder("p", StoredTable::kSpans, "_"), "p/v1/traces/tenant=%5F/");
  EXPECT_EQ(tenant_folder("p", StoredTable::kSpans, "__"), "p/v1/traces/tenant=__/");
  EXPECT_NE(tenant_folder("p", StoredTable::kSpans, "%5F"),
            tenant_folder("p", StoredTable::kSpans, "_"));
}

TEST(ObjectKey, EachTableHasItsOwnFolder) {
  EXPECT_EQ(table_folder("p", StoredTable::kSamples), "p/v1/metrics/samples/");
  EXPECT_EQ(table_folder("p", StoredTable::kHistograms), "p/v1/metrics/histograms/");
  EXPECT_EQ(table_folder("p", StoredTable::kExemplars), "p/v1/metrics/exemplars/");
  for (const StoredTable table : kStoredTables)
    EXPECT_EQ(parse_stored_table(to_string(table)), table);
  EXPECT_FALSE(parse_stored_table("series").has_value());
}

TEST(ObjectKey, PartsOfABatchAndIdsOfOthersHaveNamesOfTheirOwn) {
  EXPECT_EQ(batch_name("t:0:1-2~5+3"), "t-0-1-2~5.3");
  EXPECT_EQ(batch_name("a/../b c"), "a%2F..%2Fb%20c");
  EXPECT_NE(batch_name(std::string(300, 'a')), batch_name(std::string(301, 'a')));
  EXPECT_LE(batch_name(std::string(3000, ':')).size(), 200u);
}

TEST(ObjectKey, OtherObjectsAreNotTaken) {
  for (const char* name : {"", "_manifest.json", "c-0123.parquet", "1-2-3.parquet",
                           "1-2-x-b.parquet", "1-2-3-.parquet", "1-2-3-b.csv"})
    EXPECT_FALSE(parse_object_name(name).has_value()) << name;
  for (const char* folder :
       {"", "p/v1/traces/tenant=a/", "x/date=2026-13-01/hour=00/", "x/date=2026-01-01/hour=24/"})
    EXPECT_FALSE(hour_of_folder(folder).has_value()) << folder;
}

}  // namespace
}  // namespace spanway::objectstore
