#include "services/lib/sinks/debug/debug_sink.h"

#include <limits>
#include <string>
#include <utility>

#include "services/lib/otlp/reader.h"
#include "services/lib/sinks/batch_json.h"

namespace spanway::sinks {
namespace {

// A larger batch is not converted only to be cut.
constexpr std::size_t kDetailPayloadMax = 1u << 20;
// The log cuts longer values.
constexpr std::size_t kPieceBytes = 4000;

class Counter final : public otlp::RequestVisitor {
 public:
  Status on_resource(const otlp::ResourceView&) override {
    ++resources;
    return {};
  }
  Status on_scope(const otlp::ScopeView&) override {
    ++scopes;
    return {};
  }
  std::uint64_t resources = 0;
  std::uint64_t scopes = 0;
};

}  // namespace

DebugSink::DebugSink(DebugSinkOptions options, const Clock& clock, telemetry::Telemetry telemetry)
    : options_(options),
      clock_(clock),
      log_(telemetry.log),
      state_(std::make_shared<SinkState>(std::numeric_limits<std::size_t>::max(), clock)),
      second_(clock.now()) {}

bool DebugSink::take_line(std::uint64_t& skipped) {
  MutexLock lock(mutex_);
  if (options_.lines_per_second_max > 0) {
    const SteadyTime now = clock_.now();
    if (now - second_ >= std::chrono::seconds(1)) {
      second_ = now;
      lines_ = 0;
    }
    if (lines_ >= options_.lines_per_second_max) {
      ++skipped_;
      return false;
    }
    ++lines_;
  }
  skipped = std::exchange(skipped_, 0);
  return true;
}

void DebugSink::write_detail(pipeline::Batch& batch) const {
  if (batch.payload.size() > kDetailPayloadMax) {
    log_.info("The batch is too large to be shown", {{"bytes", batch.payload.size()}});
    return;
  }
  const std::size_t held = batch.permit.bytes();
  if (const auto json = batch_to_json(batch); json.ok()) {
    const std::string_view shown = std::string_view(*json).substr(0, options_.detail_bytes_max);
    for (std::size_t at = 0; at < shown.size(); at += kPieceBytes)
      log_.info("Batch content",
                {{"at", at}, {"of", json->size()}, {"json", shown.substr(at, kPieceBytes)}});
  }
  batch.permit.shrink_to(held);
}

Status DebugSink::write(pipeline::Batch& batch) {
  Counter counter;
  otlp::RequestReader reader;
  SPANWAY_TRY(reader.read(batch.signal, batch.payload.view(), counter));
  SPANWAY_ASSIGN(const std::uint64_t items, otlp::count_items(batch.signal, batch.payload.view()));
  std::uint64_t skipped = 0;
  if (items == 0 || !take_line(skipped)) return {};
  log_.info("Batch", {{"signal", otlp::to_string(batch.signal)},
                      {"items", items},
                      {"bytes", batch.payload.size()},
                      {"resources", counter.resources},
                      {"scopes", counter.scopes},
                      {"tenant", batch.metadata.tenant},
                      {"skipped_lines", skipped}});
  if (options_.verbosity == Verbosity::kDetailed) write_detail(batch);
  return {};
}

void DebugSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  const auto delivery = start_batch(batch, std::move(token), state_);
  if (!delivery) return;
  if (auto written = write(batch); !written.ok())
    return delivery->finish(std::move(written).error());
  delivery->finish(pipeline::Outcome{});
}

bool DebugSink::drain(Deadline deadline) { return state_->drain(deadline); }
pipeline::SinkHealth DebugSink::health() const { return state_->health(); }

}  // namespace spanway::sinks
