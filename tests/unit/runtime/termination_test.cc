#include "services/lib/runtime/termination.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace spanway::runtime {
namespace {

TEST(Redact, HidesPasswordsAndTokens) {
  EXPECT_EQ(redact("connect http://user:pa:ss@host:80/x failed"),
            "connect http://***@host:80/x failed");
  EXPECT_EQ(redact("a://u:p@h b://v@i c://j"), "a://***@h b://***@i c://j");
  EXPECT_EQ(redact("sasl.password=hunter2 rest"), "sasl.password=*** rest");
  EXPECT_EQ(redact("sasl.password=\"hunter 2\" rest"), "sasl.password=*** rest");
  EXPECT_EQ(redact("{\"token\":\"abc\",\"x\":1}"), "{\"token\":***,\"x\":1}");
  EXPECT_EQ(redact("{\"token\": \"abc\"}"), "{\"token\": ***}");
  EXPECT_EQ(redact("Authorization: Bearer abc.def rest"), "Authorization: *** rest");
  EXPECT_EQ(redact("?access_key=abc&x=1"), "?access_key=***&x=1");
  EXPECT_EQ(redact("password: hunter2"), "password: ***");
  EXPECT_EQ(redact("PASSWORD=a password=b"), "PASSWORD=*** password=***");
}

TEST(Redact, KeepsSentencesReadable) {
  for (const char* text :
       {"", "kafka.password: is required, for example x", "the token has expired",
        "http://host:80/a@b", "password=", "token:", "secret"})
    EXPECT_EQ(redact(text), text);
}

TEST(Redact, IsOneBoundedLine) {
  EXPECT_EQ(redact("a\nb\x1b[0m\r\n"), "a b [0m");
  EXPECT_EQ(redact(std::string(1 << 20, 'x')).size(), 256U);
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "\xc3\xa4";
  const std::string line = redact(umlauts);
  EXPECT_LE(line.size(), 256U);
  EXPECT_EQ((line.size() - 3) % 2, 0U);
}

TEST(TerminationMessage, IsWrittenToAFileThatExists) {
  const std::string path = testing::TempDir() + "spanway_termination_log";
  { std::ofstream create(path); }
  write_termination_message(path, "broken token=abc");
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "broken token=***\n");
}

TEST(TerminationReport, IsWrittenCompletelyOrNotAtAll) {
  const std::string path = testing::TempDir() + "spanway_termination_report";
  const auto written = [&path](const std::string& report) {
    { std::ofstream create(path); }
    write_termination_report(path, report);
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string longest(kTerminationBytesMax - 1, 'x');
  EXPECT_EQ(written(longest), longest + "\n");
  EXPECT_EQ(written(longest + "x"), "");
}

TEST(TerminationMessage, CreatesNoFile) {
  const std::string path = testing::TempDir() + "spanway_no_termination_log";
  write_termination_message(path, "broken");
  EXPECT_FALSE(std::ifstream(path).is_open());
}

}  // namespace
}  // namespace spanway::runtime
