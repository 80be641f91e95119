#include "services/lib/http/server/open_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace spanway::http {
namespace {

TEST(OpenFiles, LeaveRoomForThreeServersAndEverythingElse) {
  for (const std::size_t files : {64u, 100u, 1024u, 4096u, 65'536u}) {
    const std::size_t allowed = connections_that_fit(1'000'000, files);
    EXPECT_GE(allowed, files / 8) << files;
    EXPECT_LE(3 * allowed + std::min<std::size_t>(64, files / 2), files) << files;
  }
}

TEST(OpenFiles, AreNoLimitWhereThereAreEnough) {
  EXPECT_EQ(connections_that_fit(10'000, 1'048'576), 10'000u);
  EXPECT_EQ(connections_that_fit(10'000, std::numeric_limits<std::size_t>::max()), 10'000u);
}

TEST(OpenFiles, LeaveAServerOneConnection) {
  for (const std::size_t files : {0u, 1u, 3u}) EXPECT_EQ(connections_that_fit(10, files), 1u);
}

}  // namespace
}  // namespace spanway::http
