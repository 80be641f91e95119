// The system calls on files that sinks make, behind a seam for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::sinks {

// Thread-safe. Each call returns 0 or the errno; results come through the reference parameters.
class FileOps {
 public:
  virtual ~FileOps() = default;
  // For appending; created with mode 0640 when missing. `size` is that of the file, and `torn` says
  // that it does not end with a line feed.
  virtual int open(const std::string& path, int& file, std::uint64_t& size, bool& torn);
  // Tests for open() without creating the file: its folder is there, it is no folder itself, and
  // this process may write.
  virtual int check(const std::string& path);
  // May write less than requested.
  virtual int write(int file, std::string_view bytes, std::size_t& written);
  virtual int sync(int file);
  virtual int truncate(int file, std::uint64_t size);
  virtual int rename(const std::string& from, const std::string& to);
  virtual int remove(const std::string& path);
  // Makes a created or renamed entry durable.
  virtual int sync_directory_of(const std::string& path);
  virtual void close(int file);
};

// The process's one; stateless.
FileOps& posix_file_ops() noexcept;

// The meaning of an errno for a batch: no space is transient, no permission is configuration, ...
Error file_error(int error_number, std::string_view what, std::string_view path);

}  // namespace spanway::sinks
