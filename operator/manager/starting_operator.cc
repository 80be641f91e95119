#include "operator/manager/starting_operator.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "operator/k8s/access.h"
#include "operator/k8s/rest_client.h"
#include "services/lib/base/thread.h"

namespace spanway::manager {
namespace {

constexpr Duration kListTimeout = std::chrono::seconds(30);
// A server that requests a longer pause is tried again all the same.
constexpr Duration kRetryAfterMax = std::chrono::minutes(1);

// A write that begins in the last moment of the renew deadline is over before another operator may
// take the Lease: others wait for the duration in the holder's Lease.
OperatorTimes lease_times(Duration request_timeout) {
  OperatorTimes times;
  times.lease_renew_deadline =
      std::max(times.lease_renew_deadline, 2 * request_timeout + times.lease_retry);
  times.lease =
      std::max(times.lease, times.lease_renew_deadline + request_timeout + std::chrono::seconds(1));
  return times;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

StartingOperator::StartingOperator(const OperatorSettings& settings, OperatorParts parts,
                                   const runtime::ServiceDeps& deps, const BackoffOptions& retry)
    : settings_(settings),
      deps_(deps),
      client_(*parts.client),
      identity_(parts.identity),
      server_(parts.server),
      backoff_(retry, Random::from_entropy()),
      parts_(std::move(parts)),
      problem_("the API server has not answered yet") {}

Result<std::unique_ptr<StartingOperator>> StartingOperator::create(
    const OperatorSettings& settings, const runtime::ServiceDeps& deps) {
  SPANWAY_ASSIGN(auto access, kube::Access::find(settings.kubeconfig, "",
                                                 config::Sources::of_process(), deps.clock));
  OperatorParts parts;
  kube::RestClientOptions options;
  options.request_timeout = settings.request_timeout;
  options.list_timeout = kListTimeout;
  SPANWAY_ASSIGN(parts.client,
                 kube::RestClient::create(*access, deps.clock, deps.telemetry, options));
  parts.statusz = reconcile::make_statusz_reader();
  parts.times = lease_times(settings.request_timeout);
  parts.server = access->cluster().server;
  parts.name_space = settings.operator_namespace.empty() ? access->cluster().name_space
                                                         : settings.operator_namespace;
  std::string pod = environment("POD_NAME");
  if (pod.empty()) pod = environment("HOSTNAME");
  if (pod.empty()) pod = "spanway-operator";
  parts.identity = pod + "-" + std::to_string(Random::from_entropy().next() % 1'000'000);
  parts.access = std::shared_ptr<kube::Access>(std::move(access));
  return std::make_unique<StartingOperator>(settings, std::move(parts), deps);
}

StartingOperator::~StartingOperator() {
  stop_accepting();
  if (thread_.joinable()) thread_.join();
}

Status StartingOperator::start() {
  thread_ = start_thread("discovery", [this](const std::stop_token& stop) { run(stop); });
  return {};
}

void StartingOperator::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto found = discover(client_, settings_, deps_.telemetry.log);
    if (found.ok()) return succeeded(*found);
    const Duration wait = failed(found.error());
    MutexLock lock(mutex_);
    wakes_.wait_for(mutex_, wait, [this]() SPANWAY_REQUIRES(mutex_) { return stopping_; });
  }
}

Duration StartingOperator::failed(const Error& error) {
  const Duration requested =
      std::min<Duration>(error.retry_after.value_or(std::chrono::milliseconds(0)), kRetryAfterMax);
  const Duration wait = std::max(backoff_.next(), requested);
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(wait).count();
  const bool is_known = std::exchange(failed_code_, error.code) == error.code;
  deps_.telemetry.log.log(
      is_known ? telemetry::LogLevel::kDebug : telemetry::LogLevel::kWarn,
      "The API server cannot be used yet; it is tried again until it can",
      {{"server", server_}, {"error", error.message}, {"retry_in_ms", milliseconds}});
  MutexLock lock(mutex_);
  problem_ = "the API server " + server_ + " cannot be used yet: " + error.message;
  return wait;
}

void StartingOperator::succeeded(const Discovered& found) {
  if (backoff_.attempts() > 0)
    deps_.telemetry.log.info("The API server can be used",
                             {{"server", server_}, {"failures", backoff_.attempts()}});
  MutexLock lock(mutex_);
  if (stopping_) return;
  operator_ = std::make_unique<OperatorService>(settings_, std::move(parts_), found, deps_);
  started_ = operator_->start();
}

OperatorService* StartingOperator::running() const {
  MutexLock lock(mutex_);
  return operator_.get();
}

void StartingOperator::stop_accepting() {
  thread_.request_stop();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wakes_.notify_all();
  }
  if (OperatorService* service = running()) service->stop_accepting();
}

bool StartingOperator::drain(Deadline deadline) {
  stop_accepting();
  OperatorService* service = running();
  return service == nullptr || service->drain(deadline);
}

runtime::Service::Readiness StartingOperator::readiness() const {
  if (const OperatorService* service = running()) return service->readiness();
  MutexLock lock(mutex_);
  return {.ready = false, .reason = stopping_ ? "draining" : problem_};
}

runtime::Statusz StartingOperator::status() const {
  if (const OperatorService* service = running()) return service->status();
  const Readiness ready = readiness();
  runtime::Statusz status;
  status.ready = ready.ready;
  status.reason = ready.reason;
  status.controller.emplace().identity = identity_;
  return status;
}

Status StartingOperator::fatal() const {
  if (const OperatorService* service = running(); service != nullptr) {
    MutexLock lock(mutex_);
    return started_.ok() ? service->fatal() : started_;
  }
  return {};
}

}  // namespace spanway::manager
