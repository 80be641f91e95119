#include "tests/unit/operator_reconcile/controller_fixture.h"

#include <gtest/gtest.h>

namespace spanway::reconcile {
namespace {

const Json* condition_in(const Json& status, const std::string& type) {
  const Json* all = kube::find(status, "conditions");
  if (all == nullptr) return nullptr;
  for (const Json& one : *all)
    if (kube::string_at(one, "type") == type) return &one;
  return nullptr;
}

}  // namespace

std::map<std::string, decide::StatuszReport> FakeStatusz::read(const std::vector<Address>& pods) {
  std::map<std::string, decide::StatuszReport> out;
  for (const Address& address : pods) {
    ++polled;
    out[address.pod] = answer(address.pod);
  }
  return out;
}

ControllerFixture::ControllerFixture() { restart(); }

Json ControllerFixture::exporter(const std::string& name) {
  return {{"name", name}, {"destination", {{"type", "OtlpGrpc"}, {"endpoint", name + ":4317"}}}};
}

Json ControllerFixture::pipeline(const std::string& name, const std::string& name_space) {
  Json made = {{"apiVersion", "spanway.dev/v1alpha1"},
               {"kind", "Pipeline"},
               {"metadata", {{"name", name}, {"namespace", name_space}}},
               {"spec",
                {{"kafka", {{"bootstrapServers", "kafka:9092"}}},
                 {"exporters", Json::array({exporter("tempo")})}}}};
  // Several of a namespace would name the same topics.
  if (name != "p") made["spec"]["kafka"]["topics"] = {{"prefix", name + "."}};
  return made;
}

void ControllerFixture::restart() {
  controller.reset();
  stores = std::make_unique<Stores>(std::vector<std::string>{}, Stores::owned_kinds(serves));
  secrets = std::make_unique<SecretsPoller>(
      *client, events, [this](const kube::ObjectKey& key) { dirty_.insert(key); });
  monitor =
      std::make_unique<StatuszMonitor>(statusz, *stores, clock, MonitorTimes{},
                                       [this](const kube::ObjectKey& key) { dirty_.insert(key); });
  render::ClusterFacts facts;
  facts.version = operator_version;
  facts.image_repository = image_repository;
  facts.serves = serves;
  controller = std::make_unique<Controller>(
      ControllerDeps{*client, *stores, *secrets, *monitor, events, clock,
                     [this](const kube::ObjectKey& key) { dirty_.insert(key); }, upgrade_rules,
                     release},
      facts);
  later_.clear();
  synced_.clear();
  for (const kube::ObjectKey& key : sync()) dirty_.insert(key);
}

std::set<kube::ObjectKey> ControllerFixture::sync() {
  std::set<kube::ObjectKey> changed;
  for (const Stores::Entry& entry : stores->entries()) {
    const std::uint64_t version = kube.version(entry.type);
    std::uint64_t& synced = synced_[std::string(entry.type.plural)];
    if (synced == version || (is_watch_late && is_watch_late(entry.type))) continue;
    synced = version;
    kube::ListOptions options;
    options.label_selector = entry.label_selector;
    const auto listed = kube.list(entry.type, options);
    for (const kube::ObjectKey& owner :
         entry.store->replace(listed->items, listed->resource_version)) {
      changed.insert(owner);
      // Also when a reconciliation is under way: it is repeated, as the work queue does.
      dirty_.insert(owner);
    }
  }
  return changed;
}

bool ControllerFixture::reconcile(const kube::ObjectKey& key) {
  ++reconciliations;
  const auto again = controller->reconcile(key);
  if (!again.ok()) {
    errors.push_back(again.error());
    // As the work queue does: soon, but not now.
    later_[key] = clock.now() + std::chrono::seconds(1);
    return false;
  }
  later_.erase(key);
  if (*again > Duration::zero()) later_[key] = clock.now() + *again;
  return true;
}

bool ControllerFixture::settle_once() {
  kube.step();
  const auto changed = sync();
  dirty_.insert(changed.begin(), changed.end());
  std::erase_if(later_, [this](const auto& entry) {
    if (entry.second > clock.now()) return false;
    dirty_.insert(entry.first);
    return true;
  });
  if (dirty_.empty()) return false;
  std::set<kube::ObjectKey> now;
  now.swap(dirty_);
  for (const kube::ObjectKey& key : now) reconcile(key);
  return true;
}

void ControllerFixture::settle() {
  for (int round = 0; round < 200; ++round)
    if (!settle_once()) return;
  ADD_FAILURE() << "does not come to rest; the last write: "
                << (kube.writes().empty() ? "none" : kube.writes().back());
}

void ControllerFixture::pass(Duration by, Duration step) {
  settle();
  for (Duration passed{}; passed < by; passed += step) {
    clock.advance(step);
    monitor->poll();
    settle();
  }
}

void ControllerFixture::resync() {
  sync();
  for (const kube::ObjectKey& key : stores->pipelines()) reconcile(key);
  sync();
}

Json ControllerFixture::status(const std::string& name, const std::string& name_space) const {
  const Json object = kube.at(kube::kPipelines, {name_space, name});
  return object.is_null() ? Json::object() : object.value("status", Json::object());
}

std::string ControllerFixture::condition(const std::string& type, const std::string& name) const {
  const Json all = status(name);
  const Json* one = condition_in(all, type);
  return one == nullptr ? ""
                        : kube::string_at(*one, "status") + ": " + kube::string_at(*one, "reason");
}

std::string ControllerFixture::message(const std::string& type, const std::string& name) const {
  const Json all = status(name);
  const Json* one = condition_in(all, type);
  return one == nullptr ? "" : kube::string_at(*one, "message");
}

std::string ControllerFixture::revision_of(const kube::ResourceType& type,
                                           const std::string& name) const {
  return kube::string_at(kube.at(type, {"team", name}),
                         "spec/template/metadata/annotations/spanway.dev~1revision");
}

bool ControllerFixture::has_event(const std::string& reason) const {
  for (const Announcement& one : events_seen)
    if (one.reason == reason) return true;
  return false;
}

std::string ControllerFixture::event(const std::string& reason) const {
  for (const Announcement& one : events_seen)
    if (one.reason == reason) return one.note;
  return "";
}

void ControllerFixture::change(const Json& spec_patch, const std::string& name) {
  kube.edit(kube::kPipelines, {"team", name}, {{"spec", spec_patch}}, "kubectl-edit");
}

void ControllerFixture::install(Json object) {
  kube.put(kube::kPipelines, std::move(object));
  pass(std::chrono::seconds(60));
}

}  // namespace spanway::reconcile
