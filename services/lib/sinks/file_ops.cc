#include "services/lib/sinks/file_ops.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>

namespace spanway::sinks {
namespace {

constexpr mode_t kMode = 0640;
constexpr std::chrono::milliseconds kDiskFullRetryAfter{5000};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

int FileOps::open(const std::string& path, int& file, std::uint64_t& size, bool& torn) {
  // Readable too: the last byte that an earlier process wrote is checked.
  file = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
  if (file < 0) return errno;
  struct stat info = {};
  if (::fstat(file, &info) != 0) {
    const int error_number = errno;
    ::close(file);
    return error_number;
  }
  const bool regular = S_ISREG(info.st_mode);
  size = regular ? static_cast<std::uint64_t>(info.st_size) : 0;
  char last = '\n';
  torn = size > 0 && ::pread(file, &last, 1, info.st_size - 1) == 1 && last != '\n';
  return 0;
}

int FileOps::check(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return EISDIR;
    return ::access(path.c_str(), W_OK) == 0 ? 0 : errno;
  }
  if (errno != ENOENT) return errno;
  const std::string folder = folder_of(path);
  if (::stat(folder.c_str(), &info) != 0) return errno;
  if (!S_ISDIR(info.st_mode)) return ENOTDIR;
  return ::access(folder.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
}

int FileOps::write(int file, std::string_view bytes, std::size_t& written) {
  ssize_t result = 0;
  do {
    result = ::write(file, bytes.data(), bytes.size());
  } while (result < 0 && errno == EINTR);
  if (result < 0) return errno;
  written = static_cast<std::size_t>(result);
  return 0;
}

int FileOps::sync(int file) {
  if (::fdatasync(file) == 0) return 0;
  // Pipes and devices cannot be synced, and need not be.
  return errno == EINVAL || errno == EROFS ? 0 : errno;
}

int FileOps::truncate(int file, std::uint64_t size) {
  return ::ftruncate(file, static_cast<off_t>(size)) == 0 ? 0 : errno;
}

int FileOps::rename(const std::string& from, const std::string& to) {
  return std::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

int FileOps::remove(const std::string& path) { return ::unlink(path.c_str()) == 0 ? 0 : errno; }

int FileOps::sync_directory_of(const std::string& path) {
  const int file = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno;
  const int result = ::fsync(file) == 0 || errno == EINVAL ? 0 : errno;
  ::close(file);
  return result;
}

void FileOps::close(int file) { ::close(file); }

FileOps& posix_file_ops() noexcept {
  static FileOps ops;
  return ops;
}

Error file_error(int error_number, std::string_view what, std::string_view path) {
  const std::string message = "Cannot " + std::string(what) + " " + std::string(path) + ": " +
                              std::generic_category().message(error_number);
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return transient_error(Code::kResourceExhausted, message + "; free space on its volume")
          .with_retry_after(kDiskFullRetryAfter)
          .with_reason("disk_full");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      return unavailable(message).with_reason("file_busy");
    case EACCES:
    case EPERM:
    case EROFS:
      return configuration_error(Code::kPermissionDenied,
                                 message + "; let the user of this process write there")
          .with_reason("file_permission");
    case EISDIR:
      return configuration_error(Code::kNotFound, message + "; name a file, not a folder")
          .with_reason("file_path");
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case ENXIO:
      return configuration_error(Code::kNotFound,
                                 message + "; create its folder or change the path")
          .with_reason("file_path");
    default:
      return unavailable(message).with_reason("file_io");
  }
}

}  // namespace spanway::sinks
