// A controller over a Kubernetes in memory: time moves only when a test moves it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "operator/api/pipeline.h"
#include "operator/reconcile/controller.h"
#include "operator/reconcile/events.h"
#include "operator/reconcile/secrets_poller.h"
#include "operator/reconcile/statusz_monitor.h"
#include "operator/reconcile/stores.h"
#include "services/lib/telemetry/telemetry.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::reconcile {

// Answers for all pods alike, unless a test sets another answer.
class FakeStatusz final : public StatuszReader {
 public:
  std::map<std::string, decide::StatuszReport> read(const std::vector<Address>& pods) override;
  std::function<decide::StatuszReport(const std::string& pod)> answer = [](const std::string&) {
    decide::StatuszReport report;
    report.answered = true;
    report.ready = true;
    report.kafka_reachable = true;
    report.has_destination = true;
    report.destination_reachable = true;
    return report;
  };
  std::size_t polled = 0;
};

class ControllerFixture {
 public:
  ControllerFixture();

  static Json exporter(const std::string& name);  // An entry of spec.exporters.
  static Json pipeline(const std::string& name = "p", const std::string& name_space = "team");
  // A new operator: everything that is only in memory is gone.
  void restart();
  // Lets stores, pods and reconciliations follow until nothing more is to be done; at most 200
  // rounds. Errors are kept in `errors`.
  void settle();
  // One round of it; false when there is nothing to do.
  bool settle_once();
  // settle(), then `by` of time in steps of a second at most 600 times, settling after each step.
  void pass(Duration by, Duration step = std::chrono::seconds(5));
  // One reconciliation of everything, as after a resync. Stores are up to date before and after.
  void resync();
  // Stores as the API server has it; the owners of what has changed.
  std::set<kube::ObjectKey> sync();

  Json status(const std::string& name = "p", const std::string& name_space = "team") const;
  // "True: Reason", "" when there is none.
  std::string condition(const std::string& type, const std::string& name = "p") const;
  std::string message(const std::string& type, const std::string& name = "p") const;
  std::string revision_of(const kube::ResourceType& type, const std::string& name) const;
  bool has_event(const std::string& reason) const;
  std::string event(const std::string& reason) const;  // Its note; "" when there was none.
  // A spec change by the user.
  void change(const Json& spec_patch, const std::string& name = "p");
  // Installed, settled and recorded as good.
  void install(Json object = pipeline());

  fakes::ManualClock clock;
  fakes::FakeKube kube{clock};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  // The operator's client; another one may wrap `kube`. Counts from restart() on.
  kube::Client* client = &kube;
  // True = the watch of this kind has not delivered its events yet.
  std::function<bool(const kube::ResourceType& type)> is_watch_late;
  // The operator's; count from restart() on.
  std::string operator_version = "1.0.0";
  std::string image_repository = "spanway";
  UpgradeRules upgrade_rules;
  std::string release;  // Empty = Pipelines are not claimed.
  render::ServedKinds serves;
  FakeStatusz statusz;
  std::vector<Announcement> events_seen;
  Events events{{log, metrics}, [this](const Announcement& a) { events_seen.push_back(a); }};
  std::vector<Error> errors;
  std::size_t reconciliations = 0;
  std::unique_ptr<Stores> stores;
  std::unique_ptr<SecretsPoller> secrets;
  std::unique_ptr<StatuszMonitor> monitor;
  std::unique_ptr<Controller> controller;

 private:
  bool reconcile(const kube::ObjectKey& key);

  std::set<kube::ObjectKey> dirty_;
  std::map<std::string, std::uint64_t> synced_;  // Versions by plural.
  std::map<kube::ObjectKey, SteadyTime> later_;
};

}  // namespace spanway::reconcile
