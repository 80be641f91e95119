// Records of logs that are read window by window, and a bound that is reached on the way.
#include "services/query/store/clickhouse/log_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace spanway::query {
namespace {

using testing::ElementsAre;

constexpr TimeRange kRange = {.begin = 0, .end = 9 * kRollupNanos + 5};

// `rows` rows of one window, and then an error if there is one.
class Rows final : public BlockStream {
 public:
  Rows(std::size_t rows, std::optional<Error> error) : rows_(rows), error_(std::move(error)) {}
  Result<std::optional<block::Block>> next() override {
    if (const std::size_t rows = std::exchange(rows_, 0); rows > 0) {
      block::Type type;
      type.kind = block::Kind::kUInt64;
      auto column = std::make_unique<block::FixedColumn>(type);
      for (std::size_t i = 0; i < rows; ++i) column->append(std::uint64_t{i});
      block::Block block;
      block.add("ts", std::move(column));
      return std::optional(std::move(block));
    }
    if (error_) return Error(*error_);
    return std::optional<block::Block>();
  }

 private:
  std::size_t rows_;
  const std::optional<Error> error_;
};

class LogWindowsTest : public testing::Test {
 protected:
  // Two windows: buckets 9 and 8, then 5.
  LogWindows windows(std::size_t limit) {
    context_.coverage = {.requested = kRange, .searched = kRange, .complete = true, .why = ""};
    const auto bucket = [](std::int64_t number, std::uint64_t lines) {
      return Bucket5m{.begin_unix_nano = number * kRollupNanos, .candidates = lines};
    };
    return {kRange,
            limit,
            {bucket(9, 15'000), bucket(8, 15'000), bucket(5, 1)},
            [this](const SearchWindow& window, std::size_t left) -> BlockStreamPtr {
              begins_.push_back(window.range.begin / kRollupNanos);
              lefts_.push_back(left);
              const bool is_second = begins_.size() > 1;
              return std::make_unique<Rows>(rows_,
                                            is_second == fails_second_ ? error_ : std::nullopt);
            },
            context_};
  }
  // The rows until the end, or the error.
  static Result<std::size_t> read(LogWindows windows) {
    std::size_t rows = 0;
    while (true) {
      SPANWAY_ASSIGN(const auto block, windows.next());
      if (!block) return rows;
      rows += block->rows();
    }
  }

  QueryContext context_;
  std::size_t rows_ = 3;
  std::optional<Error> error_;
  bool fails_second_ = true;
  std::vector<std::int64_t> begins_;
  std::vector<std::size_t> lefts_;
};

TEST_F(LogWindowsTest, OlderWindowsAreReadUntilThereIsEnough) {
  EXPECT_EQ(*read(windows(3)), 3u);
  EXPECT_THAT(begins_, ElementsAre(8));
  begins_.clear();
  lefts_.clear();
  EXPECT_EQ(*read(windows(10)), 6u);
  EXPECT_THAT(begins_, ElementsAre(8, 5));
  EXPECT_THAT(lefts_, ElementsAre(10, 7));
  EXPECT_TRUE(context_.coverage.complete);
}

TEST_F(LogWindowsTest, ABoundBehindTheFirstWindowEndsTheListAndSaysWhere) {
  error_ = data_error(Code::kResourceExhausted, "too many rows");
  rows_ = 0;
  EXPECT_EQ(*read(windows(10)), 0u);
  EXPECT_FALSE(context_.coverage.complete);
  EXPECT_EQ(context_.coverage.searched.begin, 8 * kRollupNanos);
  EXPECT_EQ(context_.coverage.searched.end, kRange.end);
  EXPECT_EQ(context_.coverage.why, "too many rows");
}

TEST_F(LogWindowsTest, AnythingElseIsAnError) {
  error_ = data_error(Code::kResourceExhausted, "too many rows");
  fails_second_ = false;
  rows_ = 0;
  EXPECT_EQ(read(windows(10)).error().message, "too many rows") << "nothing was read before";
  begins_.clear();
  fails_second_ = true;
  rows_ = 3;
  EXPECT_FALSE(read(windows(10)).ok()) << "rows of a window that is cut";
  begins_.clear();
  rows_ = 0;
  error_ = transient_error(Code::kUnavailable, "away");
  EXPECT_EQ(read(windows(10)).error().message, "away");
}

}  // namespace
}  // namespace spanway::query
