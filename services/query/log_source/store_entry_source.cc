#include "services/query/log_source/store_entry_source.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

#include "services/query/log_source/entry_reader.h"

namespace spanway::query {
namespace {

constexpr auto kNoLimit = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
constexpr std::size_t kEntriesBetweenChecks = 1024;
constexpr std::uint64_t kWindowsMax = 1000;
// No store has more windows than this to a bucket of its volume.
constexpr std::int64_t kWindowMin = 1'000'000'000;

}  // namespace

// Reads one part of the range after the other: a page with a limit, or a window without one.
class StoreEntrySource::Stream final : public logql::EntryStream {
 public:
  Stream(StoreEntrySource& source, const logql::EntrySelect& query, EntryReader reader,
         std::int64_t window)
      : source_(source),
        reader_(std::move(reader)),
        whole_(query.range),
        rest_(query.range),
        newest_first_(query.is_newest_first),
        window_(window) {
    select_.matchers = query.matchers;
    select_.lines = query.lines;
    select_.is_newest_first = query.is_newest_first;
    select_.limit = window > 0 ? kNoLimit
                               : std::clamp(query.expected, source.options_.page_rows_min,
                                            source.options_.page_rows_max);
  }
  ~Stream() override { source_.by_streams_ -= held_; }

  Result<std::optional<logql::Entry>> next() override {
    for (;;) {
      if (reader_of_block_ && row_ < reader_of_block_->rows()) {
        if (!part_.contains(reader_of_block_->unix_nano(row_))) {
          row_ = reader_of_block_->rows();  // Comes again with the next page.
          continue;
        }
        if (++entries_ % kEntriesBetweenChecks == 0) SPANWAY_TRY(source_.check());
        SPANWAY_ASSIGN(auto entry, reader_.read(*reader_of_block_, row_++));
        if (entry) return entry;
        continue;
      }
      SPANWAY_ASSIGN(const bool has_block, next_block());
      if (!has_block) return std::optional<logql::Entry>();
    }
  }

 private:
  // False at the end of the range.
  Result<bool> next_block() {
    for (;;) {
      SPANWAY_TRY(source_.check());
      if (!rows_of_part_.empty()) {
        begin(std::move(rows_of_part_.front()));
        rows_of_part_.pop_front();
        return true;
      }
      if (part_stream_) {
        SPANWAY_ASSIGN(auto block, part_stream_->next());
        if (block && block->rows() > 0) {
          SPANWAY_TRY(prepare(*block));
          begin(std::move(*block));
          return true;
        }
        if (!block) part_stream_.reset();
        continue;
      }
      if (rest_.begin >= rest_.end) return false;
      SPANWAY_TRY(window_ > 0 ? open_window() : read_page_or_end());
    }
  }

  Status open_window() {
    part_ = rest_;
    if (rest_.end - rest_.begin > window_) part_.end = rest_.begin + window_;
    rest_.begin = part_.end;
    select_.range = part_;
    SPANWAY_ASSIGN(part_stream_, source_.store_.select(select_, source_.context_));
    return {};
  }

  // A bound that is reached ends the list with what was read before; the coverage says so.
  Status read_page_or_end() {
    Coverage& coverage = source_.context_.coverage;
    const TimeRange before = rest_;
    Status read = read_page();
    if (!read.ok()) {
      if (before == whole_ || !reached_bound(read.error())) return read;
      rows_of_part_.clear();
      coverage.searched = before;
      coverage.complete = false;
      coverage.why = read.error().message;
      if (newest_first_)
        coverage.searched.begin = before.end;
      else
        coverage.searched.end = before.begin;
    }
    if (coverage.complete) return {};
    coverage.requested = whole_;
    if (newest_first_)
      coverage.searched.end = whole_.end;
    else
      coverage.searched.begin = whole_.begin;
    rest_.begin = rest_.end;
    return {};
  }

  // Reads a page. A page that is full may have only some of the records of its last nanosecond:
  // these are left for the next one.
  Status read_page() {
    SPANWAY_TRY(source_.check(source_.context_.details_time));
    part_ = select_.range = rest_;
    SPANWAY_ASSIGN(const auto stream, source_.store_.select(select_, source_.context_));
    std::size_t rows = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
    for (;;) {
      SPANWAY_TRY(source_.check());
      SPANWAY_ASSIGN(auto block, stream->next());
      if (!block) break;
      if (block->rows() == 0) continue;
      const otlp_blocks::LogReader reader(*block);
      if (rows == 0) first = reader.unix_nano(0);
      rows += block->rows();
      last = reader.unix_nano(block->rows() - 1);
      SPANWAY_TRY(prepare(*block));
      rows_of_part_.push_back(std::move(*block));
    }
    if (rows < select_.limit) {
      rest_.begin = rest_.end;
      return {};
    }
    if (first == last && select_.limit < kNoLimit / 2) {
      // One nanosecond with more records than a page.
      select_.limit *= 2;
      rows_of_part_.clear();
      return {};
    }
    if (newest_first_) {
      part_.begin = last + 1;
      rest_.end = last + 1;
    } else {
      part_.end = last;
      rest_.begin = last;
    }
    select_.limit =
        std::max(select_.limit, std::min(select_.limit * 2, source_.options_.page_rows_max));
    return {};
  }

  // Reads the resources of the rows, and reckons the memory.
  Status prepare(const block::Block& rows) {
    const auto missing = reader_.missing_resources(rows);
    if (!missing.empty()) {
      SPANWAY_ASSIGN(auto resources, source_.store_.resources_of(missing, source_.context_));
      SPANWAY_TRY(reader_.add_resources(std::move(resources)));
    }
    std::size_t bytes = reader_.memory_bytes() + rows.memory_bytes();
    for (const block::Block& block : rows_of_part_) bytes += block.memory_bytes();
    return source_.exchange(held_, bytes);
  }

  void begin(block::Block rows) {
    reader_of_block_.reset();
    block_ = std::move(rows);
    reader_of_block_.emplace(block_);
    row_ = 0;
  }

  StoreEntrySource& source_;
  EntryReader reader_;
  const TimeRange whole_;
  TimeRange rest_;  // Without the parts that were read.
  TimeRange part_;
  const bool newest_first_;
  const std::int64_t window_;  // Nanoseconds; 0 = pages.
  LogSelect select_;
  BlockStreamPtr part_stream_;             // The rows of a window.
  std::deque<block::Block> rows_of_part_;  // The rows of a page.
  block::Block block_;
  std::optional<otlp_blocks::LogReader> reader_of_block_;
  std::size_t row_ = 0;
  std::size_t entries_ = 0;
  std::size_t held_ = 0;
};

Result<std::unique_ptr<logql::EntryStream>> StoreEntrySource::select(
    const logql::EntrySelect& query) {
  SPANWAY_ASSIGN(auto streams, store_.streams(query.matchers, query.range, context_));
  std::int64_t window = 0;
  if (query.expected == 0) {
    std::uint64_t bytes = 0;
    if (!streams.empty()) {
      SPANWAY_ASSIGN(const auto volumes, store_.volume(query.matchers, query.range, context_));
      for (const LogVolume& volume : volumes) bytes += volume.bytes;
    }
    const auto windows =
        static_cast<std::int64_t>(std::min(bytes / options_.window_bytes + 1, kWindowsMax));
    window = std::max((query.range.end - query.range.begin) / windows + 1, kWindowMin);
  }
  logql::EntrySelect own = query;
  if (streams.empty()) own.range.begin = own.range.end;  // There is nothing to read.
  return std::unique_ptr<logql::EntryStream>(
      std::make_unique<Stream>(*this, own, EntryReader(std::move(streams)), window));
}

Status StoreEntrySource::check(Duration margin) const {
  if (context_.cancel.cancelled())
    return transient_error(Code::kCancelled, "the query was cancelled").with_reason("cancelled");
  if (context_.deadline.less(margin).passed(clock_.now()))
    return transient_error(Code::kDeadlineExceeded, "the query took too long; narrow it by time")
        .with_reason("deadline");
  return {};
}

Status StoreEntrySource::hold(std::size_t bytes) {
  by_engine_ = bytes;
  return context_.budget.keep(by_engine_ + by_streams_);
}

Status StoreEntrySource::exchange(std::size_t& held, std::size_t bytes) {
  by_streams_ += bytes - held;
  held = bytes;
  return context_.budget.keep(by_engine_ + by_streams_);
}

}  // namespace spanway::query
