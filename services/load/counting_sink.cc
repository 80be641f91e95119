#include "services/load/counting_sink.h"

#include <utility>

#include "services/lib/otlp/status_map.h"
#include "services/load/item_id.h"
#include "services/load/latency_json.h"

namespace spanway::load {
namespace {

Error injected_failure(const Behaviour& behaviour) {
  Error error = otlp::error_from_grpc(static_cast<int>(behaviour.fail_code),
                                      "spanway-load sink fails by its behaviour", {});
  if (behaviour.retry_after.count() > 0) {
    // RESOURCE_EXHAUSTED, too, asks for a retry when it says when.
    error.refusal = Refusal::kTransient;
    error.retry_after = behaviour.retry_after;
  }
  return error;
}

Error draining() {
  return unavailable("spanway-load sink is shutting down")
      .with_reason("draining")
      .with_retry_after(std::chrono::seconds(1));
}

}  // namespace

CountingSink::CountingSink(Behaviour behaviour, http::IoPool& pool, const Clock& clock,
                           Random random)
    : pool_(pool), clock_(clock), behaviour_(behaviour), random_(random) {}

void CountingSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  if (!in_flight_->enter()) return token.nack(draining());
  Result<pipeline::Outcome> result = take(batch);
  batch.permit.release();
  const Duration delay = behaviour().delay;
  if (delay > Duration::zero()) return answer_later(delay, std::move(result), std::move(token));
  token.answer(std::move(result));
  in_flight_->leave();
}

void CountingSink::answer_later(Duration delay, Result<pipeline::Outcome> result,
                                pipeline::AckToken token) {
  struct Late {
    Result<pipeline::Outcome> result;
    pipeline::AckToken token;
    std::shared_ptr<pipeline::InFlight> in_flight;
  };
  // Shared only because a std::function must be copyable.
  auto late = std::make_shared<Late>(Late{std::move(result), std::move(token), in_flight_});
  pool_.executor(next_thread_.fetch_add(1, std::memory_order_relaxed)).post_after(delay, [late] {
    late->token.answer(std::move(late->result));
    late->in_flight->leave();
  });
}

Result<pipeline::Outcome> CountingSink::take(const pipeline::Batch& batch) {
  thread_local FoundItems found;
  const bool parsed = find_items(batch.signal, batch.payload.view(), found);
  MutexLock lock(mutex_);
  ++totals_.requests;
  totals_.bytes += batch.payload.size();
  if (!parsed) {
    ++totals_.malformed;
    return invalid_argument("spanway-load sink: the request is not an OTLP Export request");
  }
  if (should_fail()) {
    ++totals_.refused;
    return injected_failure(behaviour_);
  }
  record(found);
  return pipeline::Outcome{};
}

bool CountingSink::should_fail() {
  return behaviour_.fail_code != Code::kOk && random_.next_unit() < behaviour_.fail_ratio;
}

void CountingSink::record(const FoundItems& found) {
  totals_.foreign += found.foreign;
  const auto now = static_cast<std::uint64_t>(clock_.system_now().time_since_epoch().count());
  Run* run = nullptr;
  std::uint64_t run_id = 0;
  // Items of one request mostly share run and time: both are looked up once per change.
  std::uint64_t same = 0;
  std::uint64_t due = 0;
  const auto record_latency = [&] {
    if (run == nullptr || same == 0) return;
    run->latency.record(Duration(now > due ? static_cast<Duration::rep>(now - due) : 0), same);
    same = 0;
  };
  for (const FoundItem& item : found.items) {
    if (run == nullptr || item.run != run_id || item.due_unix_nano != due) {
      record_latency();
      due = item.due_unix_nano;
    }
    if (item.number > SeenSet::kNumberMax) {
      ++totals_.foreign;
      continue;
    }
    if (run == nullptr || item.run != run_id) {
      if (runs_.size() >= kRunsMax && !runs_.contains(item.run)) {
        ++totals_.foreign;
        continue;
      }
      auto& place = runs_[item.run];
      if (place == nullptr) place = std::make_unique<Run>();
      run = place.get();
      run_id = item.run;
    }
    run->seen.add(item.number);
    ++run->received;
    ++totals_.received;
    ++same;
  }
  record_latency();
}

void CountingSink::set_behaviour(const Behaviour& behaviour) {
  MutexLock lock(mutex_);
  behaviour_ = behaviour;
}

Behaviour CountingSink::behaviour() const {
  MutexLock lock(mutex_);
  return behaviour_;
}

void CountingSink::reset() {
  MutexLock lock(mutex_);
  totals_ = {};
  runs_.clear();
}

const CountingSink::Run* CountingSink::find(std::uint64_t run) const {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : found->second.get();
}

CountingSink::Presence CountingSink::presence_of(std::uint64_t run) const {
  MutexLock lock(mutex_);
  const Run* found = find(run);
  if (found == nullptr) return {};
  return {.received = found->received, .unique = found->seen.size(), .latency = found->latency};
}

std::uint64_t CountingSink::count_in(std::uint64_t run, std::uint64_t first,
                                     std::uint64_t count) const {
  MutexLock lock(mutex_);
  const Run* found = find(run);
  return found == nullptr ? 0 : found->seen.count_in(first, count);
}

std::string CountingSink::report_json() const {
  MutexLock lock(mutex_);
  std::uint64_t unique = 0;
  LatencyHistogram latency;
  for (const auto& [id, run] : runs_) {
    unique += run->seen.size();
    latency.merge(run->latency);
  }
  std::string text;
  JsonWriter json(text);
  json.begin_object()
      .member("received", totals_.received)
      .member("unique", unique)
      .member("duplicates", totals_.received - unique)
      .member("foreign", totals_.foreign)
      .member("requests", totals_.requests)
      .member("refused", totals_.refused)
      .member("malformed", totals_.malformed)
      .member("bytes", totals_.bytes);
  write_latency(json, latency);
  json.begin_array("runs");
  for (const auto& [id, run] : runs_) {
    json.begin_object()
        .member("run", to_hex(id))
        .member("received", run->received)
        .member("unique", run->seen.size())
        .member("duplicates", run->received - run->seen.size())
        .member("highest", run->seen.highest());
    write_latency(json, run->latency);
    json.end_object();
  }
  json.end_array().end_object();
  return text;
}

}  // namespace spanway::load
