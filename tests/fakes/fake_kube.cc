#include "tests/fakes/fake_kube.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <utility>

#include "tests/fakes/fake_kube_fields.h"
#include "tests/fakes/fake_kube_objects.h"

namespace spanway::fakes {
namespace {

using kube::Json;
using kube::ObjectKey;
using kube::ResourceType;

constexpr std::size_t kChangesMax = 20'000;
constexpr std::string_view kClientManager = "spanway-operator";

Error conflict(const std::string& message) {
  return transient_error(Code::kAborted, message).with_reason("conflict");
}

void set_defaults(const ResourceType& type, Json& object) {
  if (type == kube::kDeployments || type == kube::kStatefulSets) {
    if (!object["spec"].contains("replicas")) object["spec"]["replicas"] = 1;
  }
}

bool has_status(const ResourceType& type) {
  return type == kube::kPipelines || type == kube::kDeployments || type == kube::kStatefulSets ||
         type == kube::kJobs || type == kube::kPods || type == kube::kHorizontalPodAutoscalers ||
         type == kube::kPodDisruptionBudgets;
}

bool matches(const Json& object, const std::string& selector) {
  std::size_t from = 0;
  while (from < selector.size()) {
    const std::size_t to = std::min(selector.find(',', from), selector.size());
    const std::string term = selector.substr(from, to - from);
    from = to + 1;
    const std::size_t equals = term.find('=');
    const Json* labels = kube::find(object, "metadata/labels");
    const std::string name = term.substr(0, equals);
    if (labels == nullptr || !labels->contains(name)) return false;
    if (equals != std::string::npos && (*labels)[name] != term.substr(equals + 1)) return false;
  }
  return true;
}

}  // namespace

std::string FakeKube::now_text() const {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.system_now().time_since_epoch());
  const std::time_t time = seconds.count();
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

FakeKube::Kind& FakeKube::kind_of(const ResourceType& type) {
  return kinds_[std::string(type.plural)];
}

Status FakeKube::begin(std::string_view verb, const ResourceType& type, const std::string& what,
                       bool is_write) {
  if (is_write) {
    writes_.push_back(std::string(verb) + " " + what);
  } else {
    ++reads_[std::string(verb)];
  }
  for (Failure& failure : failures_) {
    if (failure.times > 0 && failure.verb == verb &&
        (failure.plural.empty() || failure.plural == type.plural)) {
      --failure.times;
      return failure.error;
    }
  }
  return {};
}

void FakeKube::note_version(const ResourceType& type) {
  versions_[std::string(type.plural)] = version_;
  // No controller reads these, and a Lease changes all the time.
  if (!(type == kube::kLeases) && !(type == kube::kEvents)) moved_at_ = version_;
}

// A Deployment's annotations bump its generation as its spec does (pkg/registry/apps/deployment).
bool FakeKube::bumps_generation(const ResourceType& type, const Json& before, const Json& next) {
  const auto annotations = [](const Json& object) {
    return object["metadata"].value("annotations", Json());
  };
  return next.value("spec", Json()) != before.value("spec", Json()) ||
         (type == kube::kDeployments && annotations(next) != annotations(before));
}

Json FakeKube::store(const ResourceType& type, const ObjectKey& key, Stored next,
                     bool keep_generation) {
  Kind& kind = kind_of(type);
  const auto before = kind.find(key);
  set_defaults(type, next.object);
  if (on_store) on_store(type, next.object);
  const bool is_new = before == kind.end();
  if (!is_new && before->second.object == next.object) {
    before->second.managers = std::move(next.managers);
    return before->second.object;
  }
  Json& metadata = next.object["metadata"];
  if (is_new) {
    metadata["uid"] = "uid-" + std::to_string(++uids_);
    metadata["creationTimestamp"] = now_text();
    metadata["generation"] = 1;
  } else if (!keep_generation && bumps_generation(type, before->second.object, next.object)) {
    metadata["generation"] = kube::int_at(before->second.object, "metadata/generation") + 1;
  }
  metadata["resourceVersion"] = std::to_string(++version_);
  note_version(type);
  changes_.push_back({version_, std::string(type.plural),
                      is_new ? kube::WatchEvent::Type::kAdded : kube::WatchEvent::Type::kModified,
                      next.object});
  if (changes_.size() > kChangesMax) changes_.pop_front();
  Json answer = next.object;
  kind[key] = std::move(next);
  changed_.notify_all();
  return answer;
}

void FakeKube::update(const ResourceType& type, const ObjectKey& key, Json next,
                      const std::string& manager, bool status) {
  Kind& kind = kind_of(type);
  const auto found = kind.find(key);
  next["apiVersion"] = type.api_version();
  next["kind"] = type.kind;
  if (found != kind.end() && found->second.object == next) return;
  Stored stored = found == kind.end() ? Stored{} : found->second;
  const auto before = fields_of(stored.object, status);
  const auto after = fields_of(next, status);
  FieldSet taken;
  for (const std::string& path : after) {
    const Json* old = before.contains(path) ? value_at(stored.object, path) : nullptr;
    if (old == nullptr || *old != *value_at(next, path)) taken.insert(path);
  }
  for (auto& [owner, fields] : stored.managers) {
    for (const std::string& path : taken) fields.erase(path);
    for (const std::string& path : before)
      if (!after.contains(path)) fields.erase(path);
  }
  if (!taken.empty()) stored.managers[{manager, false}].merge(taken);
  stored.object = std::move(next);
  store(type, key, std::move(stored), status);
}

Result<Json> FakeKube::get(const ResourceType& type, const ObjectKey& key) {
  MutexLock lock(mutex_);
  SPANWAY_TRY(begin("get", type, "", false));
  Kind& kind = kind_of(type);
  const auto found = kind.find(key);
  if (found == kind.end())
    return data_error(Code::kNotFound,
                      "GET " + std::string(type.plural) + " " + key.text() + ": not found");
  Json answer = found->second.object;
  for (const auto& [manager, fields] : found->second.managers)
    answer["metadata"]["managedFields"].push_back(
        managed_field(manager.name, manager.applies, fields, now_text()));
  return answer;
}

Result<kube::ListResult> FakeKube::list(const ResourceType& type,
                                        const kube::ListOptions& options) {
  MutexLock lock(mutex_);
  SPANWAY_TRY(begin("list", type, "", false));
  kube::ListResult result;
  result.resource_version = std::to_string(version_);
  for (const auto& [key, stored] : kind_of(type)) {
    if (!options.name_space.empty() && options.name_space != key.name_space) continue;
    if (matches(stored.object, options.label_selector)) result.items.push_back(stored.object);
  }
  return result;
}

Status FakeKube::watch(const ResourceType& type, const kube::WatchOptions& options,
                       const std::stop_token& stop,
                       const std::function<bool(kube::WatchEvent)>& on_event) {
  std::uint64_t seen = std::strtoull(options.resource_version.c_str(), nullptr, 10);
  std::stop_callback wake(stop, [this] {
    MutexLock lock(mutex_);
    changed_.notify_all();
  });
  for (;;) {
    std::vector<kube::WatchEvent> events;
    {
      MutexLock lock(mutex_);
      changed_.wait(mutex_, [&] { return stop.stop_requested() || version_ > seen; });
      if (stop.stop_requested()) return transient_error(Code::kCancelled, "watch: stopped");
      for (const Change& change : changes_) {
        if (change.version <= seen || change.kind != type.plural) continue;
        const std::string name_space = kube::string_at(change.object, "metadata/namespace");
        if (!options.name_space.empty() && options.name_space != name_space) continue;
        if (!matches(change.object, options.label_selector)) continue;
        events.push_back({change.type, change.object});
      }
      seen = version_;
    }
    for (kube::WatchEvent& event : events)
      if (!on_event(std::move(event))) return {};
  }
}

Result<Json> FakeKube::apply(const ResourceType& type, const Json& object,
                             const kube::ApplyOptions& options, std::string_view subresource) {
  MutexLock lock(mutex_);
  const ObjectKey key = key_of(object);
  const std::string what = std::string(type.plural) +
                           (subresource.empty() ? "" : "/" + std::string(subresource)) + " " +
                           key.text();
  SPANWAY_TRY(begin("apply", type, what, !options.dry_run));
  const bool status = subresource == "status";
  Kind& kind = kind_of(type);
  const auto found = kind.find(key);
  Stored stored = found == kind.end() ? Stored{} : found->second;
  if (found == kind.end()) {
    stored.object = {{"apiVersion", type.api_version()},
                     {"kind", type.kind},
                     {"metadata", {{"name", key.name}, {"namespace", key.name_space}}}};
  }
  const std::string expected = kube::string_at(object, "metadata/resourceVersion");
  if (!expected.empty() && expected != kube::string_at(stored.object, "metadata/resourceVersion"))
    return conflict("PATCH " + what + ": the object has been modified");
  Json intent = object;
  if (!status && has_status(type)) intent.erase("status");
  const FieldSet desired = fields_of(intent, status);
  const Manager self{options.field_manager, true};
  for (auto& [manager, fields] : stored.managers) {
    if (manager == self) continue;
    for (const std::string& path : desired) {
      if (!fields.contains(path)) continue;
      const Json* live = value_at(stored.object, path);
      if (live != nullptr && *live == *value_at(intent, path)) continue;
      if (path.find("\nk:") != std::string::npos && path.rfind("\nk:") > path.rfind("\nf:"))
        continue;
      if (!options.force)
        return conflict("PATCH " + what + ": conflict with \"" + manager.name + "\"");
      fields.erase(path);
    }
  }
  Json next = stored.object;
  Json laid = status ? Json{{"status", intent.value("status", Json::object())}} : intent;
  if (!status) {
    laid["metadata"].erase("resourceVersion");
    if (type == kube::kDeployments || type == kube::kStatefulSets) {
      const Json* before = kube::find(stored.object, "spec/selector");
      if (before != nullptr && *before != laid["spec"].value("selector", *before))
        return invalid_argument("PATCH " + what + ": spec.selector: field is immutable");
    }
    if (type == kube::kConfigMaps && kube::bool_at(stored.object, "immutable") &&
        !kube::contains(stored.object, laid) && stored.object["data"] != laid["data"])
      return invalid_argument("PATCH " + what +
                              ": data: field is immutable when `immutable` is set");
  }
  lay_over(next, laid);
  for (const std::string& path : stored.managers[self]) {
    if (desired.contains(path)) continue;
    const bool shared = std::any_of(
        stored.managers.begin(), stored.managers.end(),
        [&](const auto& entry) { return entry.first != self && entry.second.contains(path); });
    if (!shared) remove_at(next, split(path));
  }
  stored.managers[self] = desired;
  stored.object = std::move(next);
  if (options.dry_run) return stored.object;
  return store(type, key, std::move(stored), status);
}

Result<Json> FakeKube::create(const ResourceType& type, const Json& object) {
  MutexLock lock(mutex_);
  const ObjectKey key = key_of(object);
  SPANWAY_TRY(begin("create", type, std::string(type.plural) + " " + key.text(), true));
  if (kind_of(type).contains(key))
    return data_error(Code::kAlreadyExists, "POST " + key.text() + ": already exists");
  update(type, key, object, std::string(kClientManager), false);
  return kind_of(type)[key].object;
}

Result<Json> FakeKube::replace(const ResourceType& type, const Json& object,
                               std::string_view subresource) {
  MutexLock lock(mutex_);
  const ObjectKey key = key_of(object);
  const bool status = subresource == "status";
  SPANWAY_TRY(begin("replace", type,
                    std::string(type.plural) + (status ? "/status " : " ") + key.text(), true));
  Kind& kind = kind_of(type);
  const auto found = kind.find(key);
  if (found == kind.end()) return data_error(Code::kNotFound, "PUT " + key.text() + ": not found");
  const Json& live = found->second.object;
  const std::string expected = kube::string_at(object, "metadata/resourceVersion");
  if (!expected.empty() && expected != kube::string_at(live, "metadata/resourceVersion"))
    return conflict("PUT " + key.text() + ": the object has been modified");
  Json next = status ? live : object;
  if (status) {
    next["status"] = object.value("status", Json::object());
  } else {
    for (const char* name : {"uid", "creationTimestamp", "generation"})
      next["metadata"][name] = live["metadata"][name];
    next["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"];
    next["metadata"].erase("managedFields");
    if (has_status(type)) {
      next.erase("status");
      if (live.contains("status")) next["status"] = live["status"];
    }
  }
  update(type, key, std::move(next), std::string(kClientManager), status);
  return kind[key].object;
}

Result<Json> FakeKube::merge_patch(const ResourceType& type, const ObjectKey& key,
                                   const Json& patch, std::string_view subresource) {
  MutexLock lock(mutex_);
  SPANWAY_TRY(begin("patch", type,
                    std::string(type.plural) +
                        (subresource.empty() ? "" : "/" + std::string(subresource)) + " " +
                        key.text(),
                    true));
  Kind& kind = kind_of(type);
  const auto found = kind.find(key);
  if (found == kind.end())
    return data_error(Code::kNotFound, "PATCH " + key.text() + ": not found");
  const Json live = found->second.object;
  const std::string expected = kube::string_at(patch, "metadata/resourceVersion");
  if (!expected.empty() && expected != kube::string_at(live, "metadata/resourceVersion"))
    return conflict("PATCH " + key.text() + ": the object has been modified");
  Json next = live;
  if (subresource == "scale") {
    next["spec"]["replicas"] = kube::int_at(patch, "spec/replicas");
  } else if (subresource == "status") {
    next["status"].merge_patch(patch.value("status", Json::object()));
  } else {
    next.merge_patch(patch);
    next["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"];
    if (has_status(type)) {
      next.erase("status");
      if (live.contains("status")) next["status"] = live["status"];
    }
  }
  update(type, key, std::move(next), std::string(kClientManager), subresource == "status");
  return kind[key].object;
}

Status FakeKube::remove(const ResourceType& type, const ObjectKey& key, const std::string& uid) {
  MutexLock lock(mutex_);
  SPANWAY_TRY(begin("delete", type, std::string(type.plural) + " " + key.text(), true));
  Kind& kind = kind_of(type);
  const auto found = kind.find(key);
  if (found == kind.end()) return {};
  if (!uid.empty() && kube::string_at(found->second.object, "metadata/uid") != uid)
    return conflict("DELETE " + key.text() + ": the uid does not match");
  erase_locked(type, key);
  return {};
}

Result<bool> FakeKube::serves(const ResourceType& type) {
  MutexLock lock(mutex_);
  return !unserved_.contains(std::string(type.plural));
}

void FakeKube::edit(const ResourceType& type, const ObjectKey& key, const Json& patch,
                    const std::string& manager) {
  MutexLock lock(mutex_);
  Json next = kind_of(type).at(key).object;
  next.merge_patch(patch);
  update(type, key, std::move(next), manager, false);
}

void FakeKube::put(const ResourceType& type, Json object, const std::string& manager) {
  MutexLock lock(mutex_);
  const ObjectKey key = key_of(object);
  const auto found = kind_of(type).find(key);
  if (found != kind_of(type).end()) {
    // As with kubectl replace: the server's own fields and the status stay.
    const Json& live = found->second.object;
    for (const char* name : {"uid", "creationTimestamp", "generation", "resourceVersion"})
      object["metadata"][name] = live["metadata"][name];
    if (live.contains("status") && !object.contains("status")) object["status"] = live["status"];
  }
  update(type, key, std::move(object), manager, false);
}

void FakeKube::erase(const ResourceType& type, const ObjectKey& key) {
  MutexLock lock(mutex_);
  erase_locked(type, key);
}

void FakeKube::erase_locked(const ResourceType& type, const ObjectKey& key) {
  Kind& kind = kind_of(type);
  const auto found = kind.find(key);
  if (found == kind.end()) return;
  Json object = found->second.object;
  const std::string uid = kube::string_at(object, "metadata/uid");
  kind.erase(found);
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  note_version(type);
  changes_.push_back(
      {version_, std::string(type.plural), kube::WatchEvent::Type::kDeleted, std::move(object)});
  changed_.notify_all();
  for (const ResourceType& owned : owned_types()) {
    std::vector<ObjectKey> gone;
    for (const auto& [owned_key, stored] : kind_of(owned)) {
      if (owned_key.name_space == key.name_space &&
          kube::string_at(stored.object, "metadata/ownerReferences/0/uid") == uid)
        gone.push_back(owned_key);
    }
    for (const ObjectKey& owned_key : gone) erase_locked(owned, owned_key);
  }
}

Json FakeKube::at(const ResourceType& type, const ObjectKey& key) const {
  MutexLock lock(mutex_);
  const auto kind = kinds_.find(std::string(type.plural));
  if (kind == kinds_.end()) return nullptr;
  const auto found = kind->second.find(key);
  return found == kind->second.end() ? Json(nullptr) : found->second.object;
}

std::vector<Json> FakeKube::all(const ResourceType& type) const {
  MutexLock lock(mutex_);
  std::vector<Json> out;
  const auto kind = kinds_.find(std::string(type.plural));
  if (kind == kinds_.end()) return out;
  for (const auto& [key, stored] : kind->second) out.push_back(stored.object);
  return out;
}

std::vector<std::string> FakeKube::names(const ResourceType& type) const {
  std::vector<std::string> out;
  for (const Json& object : all(type)) out.push_back(kube::string_at(object, "metadata/name"));
  return out;
}

std::uint64_t FakeKube::version(const ResourceType& type) const {
  MutexLock lock(mutex_);
  const auto found = versions_.find(std::string(type.plural));
  return found == versions_.end() ? 0 : found->second;
}

std::vector<std::string> FakeKube::writes() const {
  MutexLock lock(mutex_);
  return writes_;
}
std::size_t FakeKube::write_count() const {
  MutexLock lock(mutex_);
  return writes_.size();
}
std::size_t FakeKube::read_count(std::string_view verb) const {
  MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [name, reads] : reads_) count += verb.empty() || name == verb ? reads : 0;
  return count;
}
void FakeKube::forget_writes() {
  MutexLock lock(mutex_);
  writes_.clear();
  reads_.clear();
}

void FakeKube::fail(std::string verb, std::string plural, Error error, int times) {
  MutexLock lock(mutex_);
  failures_.push_back({std::move(verb), std::move(plural), std::move(error), times});
}

void FakeKube::heal() {
  MutexLock lock(mutex_);
  failures_.clear();
}

void FakeKube::set_serves(const ResourceType& type, bool yes) {
  MutexLock lock(mutex_);
  if (yes) {
    unserved_.erase(std::string(type.plural));
  } else {
    unserved_.insert(std::string(type.plural));
  }
}

}  // namespace spanway::fakes
