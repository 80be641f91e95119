#include "services/lib/kafka/sasl_password.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace spanway::kafka::native {
namespace {

class SaslPasswordFile : public testing::Test {
 protected:
  void SetUp() override {
    file_ = std::filesystem::temp_directory_path() /
            ("sasl_password_test." + std::to_string(::getpid()));
  }
  void TearDown() override { std::filesystem::remove(file_); }
  void write(const std::string& text) { std::ofstream(file_, std::ios::binary) << text; }

  static Secret from_file(const std::string& source) { return Secret("first", source); }

  std::filesystem::path file_;
};

TEST_F(SaslPasswordFile, IsReadAgainWhicheverKeyNamesIt) {
  SaslConfig by_key;
  by_key.password_file = file_;
  SaslConfig inline_reference;
  inline_reference.password = from_file("${file:" + file_.string() + "}");
  for (const SaslConfig& sasl : {by_key, inline_reference}) {
    write("first\n");
    EXPECT_EQ(read_password(sasl).value(), "first");
    write("second\r\n");
    EXPECT_EQ(read_password(sasl).value(), "second");
  }
}

TEST_F(SaslPasswordFile, MayBeAPartOfTheValue) {
  SaslConfig sasl;
  sasl.password = from_file("v-${file:" + file_.string() + "}");
  write("second\n");
  EXPECT_EQ(read_password(sasl).value(), "v-second");
}

TEST_F(SaslPasswordFile, AnErrorNamesTheKeyAndTheFile) {
  SaslConfig sasl;
  sasl.password = from_file("${file:" + file_.string() + "}");
  const auto missing = read_password(sasl);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().message.rfind("kafka.sasl.password: the file '" + file_.string(), 0),
            0u)
      << missing.error().message;
  write("\n");
  EXPECT_FALSE(read_password(sasl).ok()) << "empty";
  EXPECT_EQ(missing.error().message.find("first"), std::string::npos);
}

TEST(SaslPassword, WithoutAFileIsTheConfiguredValue) {
  SaslConfig sasl;
  sasl.password = Secret("p");
  EXPECT_EQ(read_password(sasl).value(), "p");
}

}  // namespace
}  // namespace spanway::kafka::native
