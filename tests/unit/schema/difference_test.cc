#include "services/lib/schema/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::schema {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Table> expected() {
  Table table;
  table.name = "spans";
  table.columns = {{"ts", "DateTime64(9)"}, {"kind", "Enum8('a'=0,'b'=1)"}};
  return {table};
}

TEST(Differences, SpacesAndFurtherColumnsAreNone) {
  const std::vector<ServerColumn> actual = {{"spans", "ts", "DateTime64(9)"},
                                            {"spans", "kind", "Enum8('a' = 0, 'b' = 1)"},
                                            {"spans", "mine", "String"},
                                            {"other", "x", "String"}};
  EXPECT_THAT(differences(expected(), actual), IsEmpty());
}

TEST(Differences, NameEachMissingOrChangedColumn) {
  const std::vector<ServerColumn> actual = {{"spans", "ts", "DateTime64(3)"}};
  EXPECT_THAT(differences(expected(), actual),
              ElementsAre("column spans.ts is DateTime64(3), expected DateTime64(9)",
                          "column spans.kind Enum8('a'=0,'b'=1) is missing"));
}

TEST(Differences, NameAMissingTableOnce) {
  EXPECT_THAT(differences(expected(), {}), ElementsAre("table spans is missing"));
}

}  // namespace
}  // namespace spanway::schema
