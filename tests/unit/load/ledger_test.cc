#include "services/load/ledger.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "services/lib/base/file.h"
#include "services/load/item_id.h"

namespace spanway::load {
namespace {

constexpr std::uint64_t kRun = make_run(0x123456789abc);
using Outcome = LedgerEntry::Outcome;

class LedgerTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "ledger_test_" +
            testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  void TearDown() override { std::filesystem::remove(path_); }
  Ledger read() { return parse_ledger(read_file(path_, 1 << 20).value()).value(); }
  std::string path_;
};

TEST_F(LedgerTest, ComesBackAsItWasWritten) {
  {
    auto writer = LedgerWriter::create(path_, kRun).value();
    writer->append({.first = 1, .count = 512});
    writer->append({.first = 513, .count = 512, .outcome = Outcome::kPartial, .rejected = 3});
    writer->append(
        {.first = 1025, .count = 1, .outcome = Outcome::kFailed, .code = Code::kDeadlineExceeded});
    EXPECT_TRUE(writer->flush().ok());
  }
  const Ledger ledger = read();
  EXPECT_EQ(ledger.run, kRun);
  ASSERT_EQ(ledger.entries.size(), 3u);
  EXPECT_EQ(ledger.entries[0].first, 1u);
  EXPECT_EQ(ledger.entries[0].count, 512u);
  EXPECT_EQ(ledger.entries[0].outcome, Outcome::kAcked);
  EXPECT_EQ(ledger.entries[1].outcome, Outcome::kPartial);
  EXPECT_EQ(ledger.entries[1].rejected, 3u);
  EXPECT_EQ(ledger.entries[2].outcome, Outcome::kFailed);
  EXPECT_EQ(ledger.entries[2].code, Code::kDeadlineExceeded);
}

TEST_F(LedgerTest, IsWrittenOutWithoutAFlush) {
  { LedgerWriter::create(path_, kRun).value()->append({.first = 1, .count = 2}); }
  EXPECT_EQ(read().entries.size(), 1u);
}

TEST_F(LedgerTest, NamesItsRunFromTheStart) {
  const auto writer = LedgerWriter::create(path_, kRun).value();
  EXPECT_EQ(read().run, kRun);
}

TEST_F(LedgerTest, SaysWhyItCannotBeWritten) {
  EXPECT_FALSE(LedgerWriter::create("/nonexistent/ledger", kRun).ok());
  const auto full = LedgerWriter::create("/dev/full", kRun);
  ASSERT_FALSE(full.ok());
  EXPECT_NE(full.error().message.find("No space"), std::string::npos) << full.error().message;
}

TEST(LedgerText, IgnoresALineWithoutItsEnd) {
  const auto ledger = parse_ledger(
      "{\"run\":\"5357000000000001\"}\n{\"first\":1,\"count\":2,\"outcome\":\"acked\"}\n{\"fir");
  ASSERT_TRUE(ledger.ok());
  EXPECT_EQ(ledger->entries.size(), 1u);
}

TEST(LedgerText, NamesTheMalformedLine) {
  const std::string head = "{\"run\":\"5357000000000001\"}\n";
  for (const char* line : {"x", "{\"first\":0,\"count\":2,\"outcome\":\"acked\"}",
                           "{\"first\":1,\"count\":0,\"outcome\":\"acked\"}",
                           "{\"first\":1,\"count\":2,\"outcome\":\"maybe\"}",
                           "{\"first\":1,\"count\":2,\"outcome\":\"partial\"}",
                           "{\"first\":1,\"count\":2,\"outcome\":\"partial\",\"rejected\":3}",
                           "{\"first\":-1,\"count\":2,\"outcome\":\"acked\"}",
                           "{\"first\":1,\"outcome\":\"acked\"}"}) {
    const auto ledger = parse_ledger(head + line + "\n");
    ASSERT_FALSE(ledger.ok()) << line;
    EXPECT_NE(ledger.error().message.find("line 2"), std::string::npos);
  }
  EXPECT_FALSE(parse_ledger("").ok());
  EXPECT_FALSE(parse_ledger("{\"run\":\"short\"}\n").ok());
}

}  // namespace
}  // namespace spanway::load
