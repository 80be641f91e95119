#include "services/lib/sinks/file/rotating_file.h"

#include <cerrno>
#include <utility>

namespace spanway::sinks {

RotatingFile::RotatingFile(std::string path, RotationOptions options, bool durable, FileOps& ops,
                           const Clock& clock, const FileEvents& events)
    : path_(std::move(path)),
      options_(options),
      durable_(durable),
      ops_(ops),
      clock_(clock),
      events_(events) {}

RotatingFile::~RotatingFile() { close(); }

Status RotatingFile::open() {
  if (file_ >= 0) return {};
  if (const int error = ops_.open(path_, file_, size_, torn_); error != 0) {
    file_ = -1;
    return file_error(error, "open", path_);
  }
  opened_at_ = clock_.now();
  if (durable_ && size_ == 0) {
    if (const int error = ops_.sync_directory_of(path_); error != 0) {
      close();
      return file_error(error, "sync the folder of", path_);
    }
  }
  return {};
}

void RotatingFile::close() noexcept {
  if (file_ >= 0) ops_.close(file_);
  file_ = -1;
}

bool RotatingFile::rotation_due(std::size_t more) const noexcept {
  if (size_ == 0 || more == 0) return false;
  if (options_.bytes_max > 0 && size_ + more > options_.bytes_max) return true;
  return options_.age_max > Duration::zero() && clock_.now() - opened_at_ >= options_.age_max;
}

// path.N-1 -> path.N, ..., path -> path.1. A failure half-way leaves a gap in the numbers and no
// file lost: the next try resumes from there.
Status RotatingFile::rotate() {
  if (durable_ && dirty_)
    if (const int error = ops_.sync(file_); error != 0) failed_sync_ = error;
  close();
  const auto numbered = [this](std::size_t n) { return path_ + "." + std::to_string(n); };
  if (options_.files_max == 0) {
    if (const int error = ops_.remove(path_); error != 0 && error != ENOENT)
      return file_error(error, "remove", path_);
    return open();
  }
  for (std::size_t n = options_.files_max - 1; n > 0; --n) {
    const int error = ops_.rename(numbered(n), numbered(n + 1));
    if (error != 0 && error != ENOENT) return file_error(error, "rename", numbered(n));
  }
  if (const int error = ops_.rename(path_, numbered(1)); error != 0 && error != ENOENT)
    return file_error(error, "rename", path_);
  events_.rotated(path_);
  return open();
}

Status RotatingFile::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t written = 0;
    const int error = ops_.write(file_, bytes, written);
    if (error != 0 || written == 0) return file_error(error != 0 ? error : EIO, "write to", path_);
    bytes.remove_prefix(written);
    size_ += written;
  }
  return {};
}

Status RotatingFile::append(std::string_view line) {
  SPANWAY_TRY(open());
  if (rotation_due(line.size())) SPANWAY_TRY(rotate());
  if (line.empty()) return {};
  const std::uint64_t before = size_;
  Status status = torn_ ? write_all("\n") : Status();
  if (status.ok()) {
    torn_ = false;
    status = write_all(line);
  }
  if (!status.ok() && size_ > before) {
    if (ops_.truncate(file_, before) == 0) {
      size_ = before;
    } else {
      torn_ = true;
    }
  }
  dirty_ = dirty_ || status.ok();
  return status;
}

Status RotatingFile::sync() {
  int error = std::exchange(failed_sync_, 0);
  if (file_ >= 0 && dirty_) {
    const SteadyTime start = clock_.now();
    if (const int now = ops_.sync(file_); now != 0) error = now;
    events_.synced(std::chrono::duration<double>(clock_.now() - start).count());
  }
  dirty_ = false;
  if (error == 0) return {};
  // The kernel forgets pages that it could not write: a later sync would claim success for them.
  close();
  return file_error(error, "sync", path_);
}

}  // namespace spanway::sinks
