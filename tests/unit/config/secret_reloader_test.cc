#include "services/lib/config/secret_reloader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/manual_clock.h"

namespace spanway::config {
namespace {

using std::chrono::seconds;

class SecretReloaderTest : public ::testing::Test {
 protected:
  SecretReloaderTest() { write("one"); }
  ~SecretReloaderTest() override { std::filesystem::remove(path_); }
  void write(const std::string& text) { std::ofstream(path_) << text; }
  std::string value() { return secrets_.values()->at("authorization").reveal(); }
  std::string value_later() {
    clock_.advance(seconds(5));
    return value();
  }

  const std::string path_ =
      ::testing::TempDir() + "secret_reloader_test." + std::to_string(::getpid());
  fakes::ManualClock clock_;
  std::vector<std::string> reports_;
  SecretReloader secrets_{
      {{"authorization", Secret("Bearer one", "Bearer ${file:" + path_ + "}")},
       {"x-plain", Secret("plain")}},
      {"headers.", HeaderUse::kHttp,
       [this](const std::string& key, const Status& read) {
         reports_.push_back(read.ok() ? key + " is good" : read.error().message);
       }},
      clock_};
};

TEST_F(SecretReloaderTest, AChangedFileIsUsedAfterFiveSeconds) {
  write("two\n");
  EXPECT_EQ(value(), "Bearer one") << "not read for every request";
  EXPECT_EQ(value_later(), "Bearer two");
  write("three\n");
  EXPECT_EQ(value(), "Bearer two");
  EXPECT_EQ(value_later(), "Bearer three");
  EXPECT_EQ(secrets_.values()->at("x-plain").reveal(), "plain");
  EXPECT_TRUE(reports_.empty());
}

TEST_F(SecretReloaderTest, AFileThatCannotBeUsedKeepsTheValueAndIsReportedOnce) {
  std::filesystem::remove(path_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(value_later(), "Bearer one");
  ASSERT_EQ(reports_.size(), 1u);
  EXPECT_TRUE(
      reports_[0].starts_with("headers.authorization: the file '" + path_ + "' cannot be read"))
      << reports_[0];
  write(" \n");
  EXPECT_EQ(value_later(), "Bearer one") << "empty while it is written";
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_NE(reports_[1].find("is empty"), std::string::npos) << reports_[1];
  write("hid\nden");
  EXPECT_EQ(value_later(), "Bearer one") << "no header can carry it";
  ASSERT_EQ(reports_.size(), 3u);
  EXPECT_EQ(reports_[2].find("hid"), std::string::npos) << reports_[2];
  EXPECT_NE(reports_[2].find("headers.authorization"), std::string::npos);
  EXPECT_NE(reports_[2].find(path_), std::string::npos) << reports_[2];
  write("two");
  EXPECT_EQ(value_later(), "Bearer two");
  ASSERT_EQ(reports_.size(), 4u);
  EXPECT_EQ(reports_[3], "headers.authorization is good");
  value_later();
  EXPECT_EQ(reports_.size(), 4u) << "reported once";
  std::filesystem::remove(path_);
  value_later();
  EXPECT_EQ(reports_.size(), 5u) << "a new outage is reported again";
}

TEST_F(SecretReloaderTest, AFileThatIsAsBeforeAgainIsReported) {
  std::filesystem::remove(path_);
  EXPECT_EQ(value_later(), "Bearer one");
  write("one");
  EXPECT_EQ(value_later(), "Bearer one");
  ASSERT_EQ(reports_.size(), 2u);
  EXPECT_EQ(reports_[1], "headers.authorization is good");
}

TEST_F(SecretReloaderTest, AHugeFileIsNotRead) {
  write(std::string((1u << 20) + 1, 'x'));
  EXPECT_EQ(value_later(), "Bearer one");
  EXPECT_EQ(reports_.size(), 1u);
}

TEST_F(SecretReloaderTest, OfAMapAreResolvedFromTheirTexts) {
  const auto secrets =
      secrets_of("headers", {{"a", "Bearer ${file:" + path_ + "}"}, {"b", "$${file:x}"}});
  ASSERT_TRUE(secrets.ok()) << secrets.error().message;
  EXPECT_EQ(secrets->at("a").reveal(), "Bearer one");
  EXPECT_EQ(secrets->at("a").file(), "Bearer ${file:" + path_ + "}");
  EXPECT_EQ(secrets->at("b").reveal(), "${file:x}");
  EXPECT_EQ(secrets->at("b").file(), "");
  const auto missing = secrets_of("headers", {{"a", "${file:/nonexistent/t}"}});
  ASSERT_FALSE(missing.ok());
  EXPECT_TRUE(missing.error().message.starts_with("headers.a: the file '/nonexistent/t' cannot"))
      << missing.error().message;
}

TEST_F(SecretReloaderTest, ThreadsSeeOldOrNewValuesWhileTheFileChanges) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        clock_.advance(std::chrono::milliseconds(10));
        const std::string now = value();
        if (now != "Bearer one" && now != "Bearer two") ++wrong;
      }
    });
  }
  const std::string fresh = path_ + ".new";
  std::ofstream(fresh) << "two";
  std::filesystem::rename(fresh, path_);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(value_later(), "Bearer two");
}

}  // namespace
}  // namespace spanway::config
