#include "services/lib/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace spanway {
namespace {

constexpr std::size_t kFirstReadBytes = 4096;

Error file_error(const std::string& path, const char* problem, const char* reason) {
  return configuration_error(Code::kFailedPrecondition, "the file '" + path + "' " + problem)
      .with_reason(reason);
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : value_(open(path.c_str(), O_RDONLY | O_CLOEXEC | flags)) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  bool ok() const noexcept { return value_ >= 0; }
  int value() const noexcept { return value_; }

 private:
  const int value_;
};

Result<std::string> read_all(const Descriptor& file, const std::string& path,
                             std::size_t bytes_max) {
  auto content = read_descriptor(file.value(), bytes_max + 1);
  if (!content.ok())
    return file_error(path, "cannot be read; check that it is a file", kFileUnreadable);
  if (content->size() > bytes_max)
    return file_error(path, ("is larger than " + std::to_string(bytes_max) + " bytes").c_str(),
                      kFileTooLarge);
  return content;
}

Error not_opened(const std::string& path) {
  return file_error(path, "cannot be opened; check the path and its permissions", kFileNotOpened);
}

}  // namespace

Result<std::string> read_descriptor(int descriptor, std::size_t bytes_max) {
  // In one allocation for a regular file: a secret leaves no copies behind.
  std::size_t expected = kFirstReadBytes;
  struct stat info {};
  if (fstat(descriptor, &info) == 0 && info.st_size > 0)
    expected = static_cast<std::size_t>(info.st_size) + 1;
  std::string content(std::min(expected, bytes_max), '\0');
  std::size_t size = 0;
  while (size < bytes_max) {
    if (size == content.size()) content.resize(std::min(2 * content.size(), bytes_max));
    const ssize_t count = read(descriptor, content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return configuration_error(Code::kFailedPrecondition, "a file cannot be read")
          .with_reason(kFileUnreadable);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  content.resize(size);
  return content;
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file(path, 0);
  if (!file.ok()) return not_opened(path);
  return read_all(file, path, bytes_max);
}

Result<std::string> read_regular_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file(path, O_NONBLOCK);
  if (!file.ok()) return not_opened(path);
  struct stat info {};
  if (fstat(file.value(), &info) != 0 || !S_ISREG(info.st_mode))
    return file_error(path, "is no regular file", kFileUnreadable);
  return read_all(file, path, bytes_max);
}

}  // namespace spanway
