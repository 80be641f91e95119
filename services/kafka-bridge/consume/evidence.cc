#include "services/kafka-bridge/consume/evidence.h"

#include <algorithm>
#include <utility>

namespace spanway::kafka_bridge {

const EvidenceLedger::State* EvidenceLedger::find(const Stream& stream) const {
  const auto& tenants = streams_[otlp::index_of(stream.signal)];
  const auto found = tenants.find(stream.tenant);
  return found == tenants.end() ? nullptr : &found->second;
}

EvidenceLedger::State& EvidenceLedger::at(const Stream& stream) {
  auto& tenants = streams_[otlp::index_of(stream.signal)];
  if (const auto found = tenants.find(stream.tenant); found != tenants.end()) return found->second;
  if (tenants.size() >= kTenantsMax) {
    std::erase_if(tenants, [](const auto& entry) { return !entry.second.failing_since; });
    if (tenants.size() >= kTenantsMax) {
      failing_ -= tenants.size();
      tenants.clear();
    }
  }
  return tenants[stream.tenant];
}

void EvidenceLedger::accept(const Stream& stream, Mark sent) {
  ++now_;
  State& state = at(stream);
  ++state.counts.accepted;
  state.accepted_sent = std::max(state.accepted_sent, sent);
  state.unproven_used = false;
  unproven_used_ = false;
  if (state.failing_since) --failing_;
  state.failing_since.reset();
  notify(stream);
}

void EvidenceLedger::refuse(const Stream& stream, std::uint64_t delivery, bool first,
                            bool explained, SteadyTime sent_at) {
  ++now_;
  State& state = at(stream);
  if (first) ++state.counts.refused;
  if (explained) return;
  if (!state.failing_since) {
    ++failing_;
    state.failing_since = sent_at;
  }
  if (state.refused_delivery != delivery) {
    state.other_refused_at = state.refused_at;
    state.refused_delivery = delivery;
  }
  state.refused_at = now_;
  notify(stream);
}

void EvidenceLedger::stall(const Stream& stream) {
  ++at(stream).stalls;
  notify(stream);
}

bool EvidenceLedger::accepted_after(const Stream& stream, Mark mark) const {
  const State* state = find(stream);
  return state != nullptr && state->accepted_sent > mark;
}

bool EvidenceLedger::others_refused_after(const Stream& stream, std::uint64_t delivery,
                                          Mark mark) const {
  const State* state = find(stream);
  if (state == nullptr) return false;
  if (state->refused_delivery != delivery) return state->refused_at > mark;
  return state->other_refused_at > mark;
}

std::optional<SteadyTime> EvidenceLedger::failing_since(const Stream& stream) const {
  const State* state = find(stream);
  return state == nullptr ? std::nullopt : state->failing_since;
}

EvidenceLedger::Counts EvidenceLedger::counts(const Stream& stream) const {
  const State* state = find(stream);
  return state == nullptr ? Counts() : state->counts;
}

std::uint64_t EvidenceLedger::stalls(const Stream& stream) const {
  const State* state = find(stream);
  return state == nullptr ? 0 : state->stalls;
}

bool EvidenceLedger::any_accepted(otlp::Signal signal) const {
  const auto& tenants = streams_[otlp::index_of(signal)];
  return std::any_of(tenants.begin(), tenants.end(), [](const auto& entry) {
    return entry.second.counts.accepted > 0 && !entry.second.failing_since;
  });
}

bool EvidenceLedger::take_unproven(const Stream& stream) {
  State& state = at(stream);
  const std::size_t others_failing = failing_ - (state.failing_since ? 1 : 0);
  if (others_failing > 0 || state.unproven_used || unproven_used_) return false;
  state.unproven_used = unproven_used_ = true;
  return true;
}

}  // namespace spanway::kafka_bridge
