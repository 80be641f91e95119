#include "services/lib/base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace spanway {
namespace {

class FileTest : public testing::Test {
 protected:
  std::string path_of(const std::string& name) const { return folder_ + "/" + name; }
  std::string write(const std::string& content) const {
    std::ofstream(path_of("file"), std::ios::binary) << content;
    return path_of("file");
  }
  static std::string reason_of(const Result<std::string>& result) {
    return result.ok() ? "ok" : result.error().reason;
  }

 private:
  const std::string folder_ = [] {
    std::string name = testing::TempDir() + "file_test_XXXXXX";
    return std::string(mkdtemp(name.data()));
  }();

 public:
  ~FileTest() override { std::filesystem::remove_all(folder_); }
};

TEST_F(FileTest, ReadsUpToTheBound) {
  const std::string content(100'000, 'x');
  const std::string path = write(content);
  EXPECT_EQ(read_file(path, content.size()).value(), content);
  EXPECT_EQ(read_regular_file(path, content.size()).value(), content);
  EXPECT_EQ(reason_of(read_file(path, content.size() - 1)), kFileTooLarge);
  EXPECT_EQ(read_file(write(""), 0).value(), "");
}

TEST_F(FileTest, ReportsWhyThereIsNoContent) {
  const auto missing = read_file(path_of("missing"), 10);
  EXPECT_EQ(reason_of(missing), kFileNotOpened);
  EXPECT_NE(missing.error().message.find(path_of("missing")), std::string::npos);
  EXPECT_EQ(reason_of(read_file(path_of(""), 10)), kFileUnreadable);
  EXPECT_EQ(reason_of(read_regular_file(path_of(""), 10)), kFileUnreadable);
}

// Its size as the file system reports it is 0.
TEST_F(FileTest, ReadsKernelFiles) { EXPECT_NE(read_file("/proc/self/stat", 1 << 16).value(), ""); }

TEST_F(FileTest, NeverWaitsForAPipeWhereAFileIsExpected) {
  ASSERT_EQ(mkfifo(path_of("pipe").c_str(), 0600), 0);
  EXPECT_EQ(reason_of(read_regular_file(path_of("pipe"), 10)), kFileUnreadable);
}

TEST_F(FileTest, ReadsAnOpenPipeToTheBound) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "abcdef", 6), 6);
  ::close(ends[1]);
  EXPECT_EQ(read_descriptor(ends[0], 4).value(), "abcd");
  EXPECT_EQ(read_descriptor(ends[0], 4).value(), "ef");
  ::close(ends[0]);
}

}  // namespace
}  // namespace spanway
