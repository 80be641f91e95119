#include "services/lib/sinks/file_ops.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace spanway::sinks {
namespace {

class FileOpsTest : public testing::Test {
 protected:
  FileOpsTest() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("spanway_file_ops_" + std::string(info->name()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~FileOpsTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static std::string read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  FileOps& ops_ = posix_file_ops();
  std::filesystem::path folder_;
  int file_ = -1;
  std::uint64_t size_ = 99;
  bool torn_ = true;
};

TEST_F(FileOpsTest, ChecksAFileWithoutCreatingIt) {
  EXPECT_EQ(ops_.check(path("a")), 0);
  EXPECT_FALSE(std::filesystem::exists(path("a")));
  EXPECT_EQ(ops_.check("a"), 0) << "in the working directory";
  EXPECT_EQ(ops_.check(path("missing/a")), ENOENT);
  EXPECT_EQ(ops_.check(folder_.string()), EISDIR);
  std::ofstream(path("file")) << "x";
  EXPECT_EQ(ops_.check(path("file")), 0);
  EXPECT_EQ(ops_.check(path("file/a")), ENOTDIR);
  EXPECT_EQ(ops_.check("/dev/null"), 0);
}

TEST_F(FileOpsTest, AppendsSyncsTruncatesAndRenames) {
  ASSERT_EQ(ops_.open(path("a"), file_, size_, torn_), 0);
  EXPECT_EQ(size_, 0u);
  EXPECT_FALSE(torn_);
  std::size_t written = 0;
  ASSERT_EQ(ops_.write(file_, "hello\nwor", written), 0);
  EXPECT_EQ(written, 9u);
  EXPECT_EQ(ops_.sync(file_), 0);
  ops_.close(file_);

  ASSERT_EQ(ops_.open(path("a"), file_, size_, torn_), 0);
  EXPECT_EQ(size_, 9u);
  EXPECT_TRUE(torn_);
  EXPECT_EQ(ops_.truncate(file_, 6), 0);
  ops_.close(file_);
  EXPECT_EQ(ops_.rename(path("a"), path("b")), 0);
  EXPECT_EQ(ops_.sync_directory_of(path("b")), 0);
  EXPECT_EQ(read(path("b")), "hello\n");
  EXPECT_EQ(ops_.rename(path("a"), path("c")), ENOENT);
  EXPECT_EQ(ops_.remove(path("b")), 0);
  EXPECT_EQ(ops_.remove(path("b")), ENOENT);
}

TEST_F(FileOpsTest, SaysWhyAFileCannotBeOpened) {
  EXPECT_EQ(ops_.open(path("missing/a"), file_, size_, torn_), ENOENT);
  EXPECT_EQ(ops_.open(folder_.string(), file_, size_, torn_), EISDIR);
}

TEST_F(FileOpsTest, FullDeviceIsNoSpace) {
  ASSERT_EQ(ops_.open("/dev/full", file_, size_, torn_), 0);
  std::size_t written = 0;
  EXPECT_EQ(ops_.write(file_, "x", written), ENOSPC);
  ops_.close(file_);
}

TEST(FileError, NamesTheKindOfRefusal) {
  const Error full = file_error(ENOSPC, "write to", "/data/x");
  EXPECT_EQ(full.refusal, Refusal::kTransient);
  EXPECT_EQ(full.code, Code::kResourceExhausted);
  EXPECT_TRUE(full.retry_after.has_value());
  EXPECT_STREQ(full.reason, "disk_full");
  EXPECT_NE(full.message.find("Cannot write to /data/x: No space left"), std::string::npos);
  EXPECT_EQ(file_error(EACCES, "open", "x").refusal, Refusal::kConfiguration);
  EXPECT_EQ(file_error(EROFS, "open", "x").code, Code::kPermissionDenied);
  EXPECT_EQ(file_error(ENOENT, "open", "x").refusal, Refusal::kConfiguration);
  EXPECT_EQ(file_error(EMFILE, "open", "x").refusal, Refusal::kTransient);
  EXPECT_EQ(file_error(EIO, "sync", "x").refusal, Refusal::kTransient);
}

}  // namespace
}  // namespace spanway::sinks
