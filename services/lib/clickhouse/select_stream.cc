#include "services/lib/clickhouse/select_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/lib/clickhouse/late_exception.h"
#include "services/lib/clickhouse/native_decoder.h"
#include "services/lib/clickhouse/select_answer.h"

namespace spanway::clickhouse {

// The state of the thread that calls next().
struct SelectStream::Reading {
  explicit Reading(std::string endpoint_) : endpoint(std::move(endpoint_)) {}
  const std::string endpoint;
  NativeDecoder decoder{kBlockBytesMax};
  std::optional<Status> end;  // The transport's.
  std::optional<Error> failed;
  bool finished = false;
  std::uint64_t bytes_received = 0;
  std::uint64_t blocks = 0;
};

SelectStream::SelectStream(std::shared_ptr<Answer> answer, std::string endpoint)
    : answer_(std::move(answer)), reading_(std::make_unique<Reading>(std::move(endpoint))) {}

SelectStream::~SelectStream() { answer_->cancel(); }

void SelectStream::cancel() { answer_->cancel(); }

SelectCost SelectStream::cost() const {
  SelectCost cost = answer_->summary();
  cost.bytes_received = reading_->bytes_received;
  cost.blocks = reading_->blocks;
  return cost;
}

Result<std::optional<block::Block>> SelectStream::next() {
  Reading& r = *reading_;
  if (r.failed) return Error(*r.failed);
  if (r.finished) return std::optional<block::Block>();
  auto block = read();
  if (!block.ok()) {
    r.failed = Error(block.error()).with_context(r.endpoint);
    answer_->cancel();
    return Error(*r.failed);
  }
  if (block->has_value()) {
    ++r.blocks;
  } else {
    r.finished = true;
  }
  return block;
}

Result<std::optional<block::Block>> SelectStream::read() {
  Reading& r = *reading_;
  std::optional<Error> malformed;
  std::string tail;  // The last bytes behind a mistake.
  const auto take_more = [&] {
    Answer::Arrived arrived = answer_->take();
    r.bytes_received += arrived.bytes.size();
    r.end = std::move(arrived.end);
    return std::move(arrived.bytes);
  };
  while (!malformed) {
    if (answer_->cancelled())
      return transient_error(Code::kCancelled, "the query was cancelled").with_reason("cancelled");
    if (r.end) r.decoder.no_more();
    auto block = r.decoder.next();
    if (!block.ok()) {
      malformed = std::move(block).error();
      tail = std::string(r.decoder.unread());
    } else if (block->has_value()) {
      if ((*block)->rows() > 0) return block;
    } else if (r.end) {
      break;
    } else {
      r.decoder.append(take_more().view());
    }
  }
  // The decoder takes an exception for a broken block. It is the last that the server sends.
  while (malformed && !r.end && !answer_->cancelled()) {
    tail += take_more().view();
    if (tail.size() > 2 * kLateExceptionBytesMax)
      tail.erase(0, tail.size() - kLateExceptionBytesMax);
  }
  if (!malformed) tail = std::string(r.decoder.unread());
  if (auto late = find_late_exception(tail, answer_->exception_tag())) return std::move(*late);
  if (r.end && !r.end->ok()) return Error(r.end->error());
  if (malformed) return std::move(*malformed);
  if (r.decoder.at_end()) return std::optional<block::Block>();
  return transient_error(Code::kUnavailable, "the answer ends within a block")
      .with_reason("truncated_answer");
}

}  // namespace spanway::clickhouse
