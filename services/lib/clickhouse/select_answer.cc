#include "services/lib/clickhouse/select_answer.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace spanway::clickhouse {
namespace {

constexpr int kOk = 200;
constexpr std::size_t kRefusalBytesMax = 64u << 10;

// "read_rows":"10000" of the summary; 0 when it is missing.
std::uint64_t number_in(std::string_view summary, std::string_view name) {
  const std::string quoted = '"' + std::string(name) + "\":\"";
  const std::size_t at = summary.find(quoted);
  std::uint64_t number = 0;
  if (at != std::string_view::npos)
    std::from_chars(summary.data() + at + quoted.size(), summary.data() + summary.size(), number);
  return number;
}

}  // namespace

void SelectStream::Answer::attach(http::ClientStream stream) {
  MutexLock lock(mutex_);
  stream_ = std::move(stream);
}

void SelectStream::Answer::on_head(int status, const http::Headers& headers) {
  MutexLock lock(mutex_);
  head_.status = status;
  head_.headers = headers;
}

bool SelectStream::Answer::on_data(std::string_view data) {
  {
    MutexLock lock(mutex_);
    if (head_.status != kOk) {
      const std::size_t room = kRefusalBytesMax - std::min(head_.body.size(), kRefusalBytesMax);
      head_.body.append(data.substr(0, room));
      return true;
    }
    arrived_.append(data);
    paused_ = arrived_.size() >= kBufferBytes;
    if (paused_) {
      changed_.notify_one();
      return false;
    }
  }
  changed_.notify_one();
  return true;
}

void SelectStream::Answer::on_end(Status status) {
  MutexLock lock(mutex_);
  // A refusal whose text is cut is still a refusal.
  if (head_.status != 0 && (status.ok() || head_.status != kOk)) {
    if (Status checked = check_(head_); !checked.ok()) status = std::move(checked);
  }
  end_ = std::move(status);
  changed_.notify_all();
}

SelectStream::Answer::Arrived SelectStream::Answer::take() {
  MutexLock lock(mutex_);
  changed_.wait(mutex_, [this]() SPANWAY_REQUIRES(mutex_) {
    return cancelled_ || end_.has_value() || !arrived_.empty();
  });
  Arrived result{.bytes = std::move(arrived_), .end = end_};
  arrived_ = Bytes();
  if (std::exchange(paused_, false)) stream_.resume();
  return result;
}

void SelectStream::Answer::cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
  stream_.cancel();
  changed_.notify_all();
}

bool SelectStream::Answer::cancelled() const {
  MutexLock lock(mutex_);
  return cancelled_;
}

std::string SelectStream::Answer::exception_tag() const {
  MutexLock lock(mutex_);
  return std::string(head_.headers.get("x-clickhouse-exception-tag"));
}

SelectCost SelectStream::Answer::summary() const {
  MutexLock lock(mutex_);
  const std::string_view summary = head_.headers.get("x-clickhouse-summary");
  return {.rows_read = number_in(summary, "read_rows"),
          .bytes_read = number_in(summary, "read_bytes"),
          .bytes_received = 0,
          .blocks = 0};
}

}  // namespace spanway::clickhouse
