#include "services/lib/runtime/host.h"

#include "services/lib/base/check.h"

namespace spanway::runtime {

Host::~Host() {
  begin_shutdown();
  std::vector<Entry> entries;
  {
    MutexLock lock(mutex_);
    entries.swap(entries_);
  }
  while (!entries.empty()) entries.pop_back();
}

void Host::add(std::string name, std::unique_ptr<Service> service) {
  SPANWAY_CHECK(service != nullptr);
  MutexLock lock(mutex_);
  SPANWAY_CHECK(state_ == State::kStarting);
  entries_.push_back({std::move(name), std::move(service)});
}

std::vector<std::pair<std::string, Service*>> Host::entries() const {
  MutexLock lock(mutex_);
  std::vector<std::pair<std::string, Service*>> out;
  out.reserve(entries_.size());
  for (const Entry& entry : entries_) out.emplace_back(entry.name, entry.service.get());
  return out;
}

Status Host::start() {
  const auto all = entries();
  for (std::size_t i = 0; i < all.size(); ++i) {
    Status status = all[i].second->start();
    if (status.ok()) continue;
    begin_shutdown();
    // Nothing has been taken in yet that would be worth waiting for.
    stop_from(i, Deadline::at(SteadyTime{}));
    return std::move(status).error().with_context(all[i].first);
  }
  MutexLock lock(mutex_);
  if (state_ == State::kStarting) state_ = State::kRunning;
  return {};
}

void Host::begin_shutdown() {
  MutexLock lock(mutex_);
  state_ = State::kStopping;
}

void Host::stop_accepting() {
  begin_shutdown();
  const auto all = entries();
  if (!all.empty()) all.back().second->stop_accepting();
}

bool Host::drain(Deadline deadline) {
  begin_shutdown();
  return stop_from(entries().size(), deadline);
}

// Stops the first `count` services, the last of them first.
bool Host::stop_from(std::size_t count, Deadline deadline) {
  const auto all = entries();
  bool complete = true;
  while (count > 0) {
    const auto& [name, service] = all[--count];
    service->stop_accepting();
    if (service->drain(deadline)) continue;
    complete = false;
    telemetry_.log.warn("Drained incompletely", {{"part", name}});
  }
  return complete;
}

Service::Readiness Host::readiness() const {
  {
    MutexLock lock(mutex_);
    if (state_ == State::kStarting) return {false, "starting"};
    if (state_ == State::kStopping) return {false, "shutting down"};
  }
  const auto all = entries();
  std::string limits;
  for (const auto& [name, service] : all) {
    Readiness readiness = service->readiness();
    if (!readiness.reason.empty() && all.size() > 1) readiness.reason.insert(0, name + ": ");
    if (!readiness.ready) return readiness;
    if (!readiness.reason.empty()) limits += (limits.empty() ? "" : "; ") + readiness.reason;
  }
  return {true, std::move(limits)};
}

Statusz Host::status() const {
  const auto all = entries();
  if (all.size() == 1) return all.front().second->status();
  Statusz status;
  status.services.emplace();
  for (const auto& [name, service] : all) status.services->push_back({name, service->status()});
  return status;
}

void Host::shed_load() {
  for (const auto& [name, service] : entries()) service->shed_load();
}

Status Host::fatal() const {
  for (const auto& [name, service] : entries()) {
    Status status = service->fatal();
    if (!status.ok()) return std::move(status).error().with_context(name);
  }
  return {};
}

}  // namespace spanway::runtime
