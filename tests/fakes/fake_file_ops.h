// Files in memory that fail, stop half-way or hang when a test says so.
#pragma once

#include <cerrno>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/sinks/file_ops.h"

namespace spanway::fakes {

// Thread-safe.
class FakeFileOps final : public sinks::FileOps {
 public:
  // --- What the test sets ---
  void fail_open(int error) {
    set([&] { open_error_ = error; });
  }
  void fail_write(int error) {
    set([&] { write_error_ = error; });
  }
  // Writes take `bytes` in all and then fail with ENOSPC.
  void limit_space(std::size_t bytes) {
    set([&] { space_ = bytes; });
  }
  // A write takes at most so many bytes.
  void write_at_most(std::size_t bytes) {
    set([&] { piece_ = bytes; });
  }
  void fail_sync(int error) {
    set([&] { sync_error_ = error; });
  }
  void fail_truncate(int error) {
    set([&] { truncate_error_ = error; });
  }
  void fail_rename(int error) {
    set([&] { rename_error_ = error; });
  }
  // Writes wait until unhang().
  void hang() {
    set([&] { hanging_ = true; });
  }
  void unhang() {
    set([&] { hanging_ = false; });
    changed_.notify_all();
  }
  void put(const std::string& path, std::string content) {
    set([&] { files_[path] = std::move(content); });
  }

  // --- Read by the test ---
  // Nothing when there is no such file.
  std::optional<std::string> content(const std::string& path) const {
    MutexLock lock(mutex_);
    const auto found = files_.find(path);
    if (found == files_.end()) return std::nullopt;
    return found->second;
  }
  std::size_t syncs() const {
    MutexLock lock(mutex_);
    return syncs_;
  }
  // False when no write hangs within 10 s.
  bool wait_until_hanging() const {
    MutexLock lock(mutex_);
    return changed_.wait_for(mutex_, std::chrono::seconds(10),
                             [this]() SPANWAY_REQUIRES(mutex_) { return waiting_ > 0; });
  }

  // --- sinks::FileOps ---
  int open(const std::string& path, int& file, std::uint64_t& size, bool& torn) override {
    MutexLock lock(mutex_);
    if (open_error_ != 0) return open_error_;
    std::string& content = files_[path];
    size = content.size();
    torn = !content.empty() && content.back() != '\n';
    file = next_file_++;
    open_[file] = path;
    return 0;
  }
  int write(int file, std::string_view bytes, std::size_t& written) override {
    MutexLock lock(mutex_);
    if (hanging_) {
      ++waiting_;
      changed_.notify_all();
      changed_.wait(mutex_, [this]() SPANWAY_REQUIRES(mutex_) { return !hanging_; });
      --waiting_;
    }
    if (write_error_ != 0) return write_error_;
    if (space_ == 0) return ENOSPC;
    written = std::min({bytes.size(), piece_, space_});
    space_ -= written;
    files_[open_[file]] += bytes.substr(0, written);
    return 0;
  }
  int sync(int) override {
    MutexLock lock(mutex_);
    ++syncs_;
    return sync_error_;
  }
  int truncate(int file, std::uint64_t size) override {
    MutexLock lock(mutex_);
    if (truncate_error_ != 0) return truncate_error_;
    files_[open_[file]].resize(size);
    return 0;
  }
  int rename(const std::string& from, const std::string& to) override {
    MutexLock lock(mutex_);
    if (rename_error_ != 0) return rename_error_;
    const auto found = files_.find(from);
    if (found == files_.end()) return ENOENT;
    files_[to] = std::move(found->second);
    files_.erase(from);
    return 0;
  }
  int remove(const std::string& path) override {
    MutexLock lock(mutex_);
    return files_.erase(path) > 0 ? 0 : ENOENT;
  }
  int sync_directory_of(const std::string&) override { return 0; }
  void close(int file) override {
    MutexLock lock(mutex_);
    open_.erase(file);
  }

 private:
  template <typename Change>
  void set(Change change) {
    MutexLock lock(mutex_);
    change();
  }

  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::map<std::string, std::string> files_ SPANWAY_GUARDED_BY(mutex_);
  std::map<int, std::string> open_ SPANWAY_GUARDED_BY(mutex_);
  int next_file_ SPANWAY_GUARDED_BY(mutex_) = 100;
  int open_error_ SPANWAY_GUARDED_BY(mutex_) = 0;
  int write_error_ SPANWAY_GUARDED_BY(mutex_) = 0;
  int sync_error_ SPANWAY_GUARDED_BY(mutex_) = 0;
  int truncate_error_ SPANWAY_GUARDED_BY(mutex_) = 0;
  int rename_error_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t space_ SPANWAY_GUARDED_BY(mutex_) = SIZE_MAX;
  std::size_t piece_ SPANWAY_GUARDED_BY(mutex_) = SIZE_MAX;
  std::size_t syncs_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ SPANWAY_GUARDED_BY(mutex_) = 0;
  bool hanging_ SPANWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spanway::fakes
