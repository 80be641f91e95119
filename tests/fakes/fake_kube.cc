#include "tests/fakes/fake_kube.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <utility>

namespace spanway::fakes {
namespace {

using kube::Json;
using kube::ObjectKey;
using kube::ResourceType;

constexpr std::size_t kChangesMax = 20'000;
constexpr std::string_view kClientManager = "spanway-operator";

ObjectKey key_of(const Json& object) {
  return {kube::string_at(object, "metadata/namespace"), kube::string_at(object, "metadata/name")};
}

Error conflict(const std::string& message) {
  return transient_error(Code::kAborted, message).with_reason("conflict");
}

// The keys by which the server merges a list; empty = the list is atomic.
std::vector<std::string> list_keys(const Json& list) {
  static const std::vector<std::vector<std::string>> kKnown = {
      {"containerPort", "protocol"}, {"port", "protocol"}, {"mountPath"}, {"name"}, {"uid"}};
  if (!list.is_array() || list.empty()) return {};
  for (const auto& keys : kKnown) {
    if (std::all_of(list.begin(), list.end(), [&](const Json& item) {
          return item.is_object() && item.contains(keys.front());
        }))
      return keys;
  }
  return {};
}

std::string item_segment(const Json& item, const std::vector<std::string>& keys) {
  Json key = Json::object();
  for (const std::string& name : keys) key[name] = item.contains(name) ? item[name] : Json("TCP");
  return "k:" + kube::to_text(key);
}

// All leaf fields of `value` under `path`.
void collect(const Json& value, const std::string& path, std::set<std::string>& out) {
  const std::string prefix = path.empty() ? "" : path + "\n";
  if (value.is_object() && !value.empty()) {
    for (const auto& [name, member] : value.items()) collect(member, prefix + "f:" + name, out);
    return;
  }
  const auto keys = list_keys(value);
  if (keys.empty()) {
    out.insert(path);
    return;
  }
  for (const Json& item : value) {
    const std::string segment = prefix + item_segment(item, keys);
    out.insert(segment);
    collect(item, segment, out);
  }
}

std::set<std::string> fields_of(Json object, bool status) {
  if (!object.is_object()) return {};
  Json kept = Json::object();
  if (status) {
    if (object.contains("status")) kept["status"] = object["status"];
  } else {
    kept = std::move(object);
    for (const char* name : {"apiVersion", "kind", "status"}) kept.erase(name);
    if (kept.contains("metadata")) {
      for (const char* name : {"name", "namespace", "resourceVersion", "uid", "generation",
                               "creationTimestamp", "managedFields"})
        kept["metadata"].erase(name);
    }
  }
  std::set<std::string> out;
  if (!kept.empty()) collect(kept, "", out);
  out.erase("f:metadata");
  return out;
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> out;
  std::size_t from = 0;
  for (;;) {
    const std::size_t to = path.find('\n', from);
    out.push_back(path.substr(from, to - from));
    if (to == std::string::npos) return out;
    from = to + 1;
  }
}

Json* child(Json& value, const std::string& segment) {
  if (segment.starts_with("f:")) {
    if (!value.is_object()) return nullptr;
    const auto found = value.find(segment.substr(2));
    return found == value.end() ? nullptr : &*found;
  }
  const auto keys = list_keys(value);
  if (keys.empty()) return nullptr;
  for (Json& item : value)
    if (item_segment(item, keys) == segment) return &item;
  return nullptr;
}

const Json* value_at(const Json& object, const std::string& path) {
  Json* at = const_cast<Json*>(&object);
  for (const std::string& segment : split(path)) {
    at = child(*at, segment);
    if (at == nullptr) return nullptr;
  }
  return at;
}

// Takes away what is at the path, and parents that are empty then.
void remove_at(Json& value, const std::vector<std::string>& path, std::size_t depth = 0) {
  const std::string& segment = path[depth];
  Json* inner = child(value, segment);
  if (inner == nullptr) return;
  const bool last = depth + 1 == path.size();
  if (!last) remove_at(*inner, path, depth + 1);
  if (!last && !(inner->is_structured() && inner->empty())) return;
  if (segment.starts_with("f:")) {
    value.erase(segment.substr(2));
  } else {
    value.erase(value.begin() + (inner - &value[0]));
  }
}

// Lays `intent` over `live` as a structured merge does.
void lay_over(Json& live, const Json& intent) {
  if (intent.is_object() && live.is_object()) {
    for (const auto& [name, member] : intent.items()) {
      if (live.contains(name)) {
        lay_over(live[name], member);
      } else {
        live[name] = member;
      }
    }
    return;
  }
  const auto keys = list_keys(intent);
  if (!keys.empty() && live.is_array() && list_keys(live) == keys) {
    for (const Json& item : intent) {
      Json* same = child(live, item_segment(item, keys));
      if (same != nullptr) {
        lay_over(*same, item);
      } else {
        live.push_back(item);
      }
    }
    return;
  }
  live = intent;
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

Json managed_field(const std::string& manager, bool applies, const std::set<std::string>& fields,
                   const std::string& time) {
  Json tree = Json::object();
  for (const std::string& path : fields) {
    Json* at = &tree;
    for (const std::string& segment : split(path)) {
      if (!at->contains(segment)) (*at)[segment] = Json::object();
      at = &(*at)[segment];
    }
  }
  return {{"manager", manager},
          {"operation", applies ? "Apply" : "Update"},
          {"time", time},
          {"fieldsType", "FieldsV1"},
          {"fieldsV1", std::move(tree)}};
}

// Names what a pod was made of.
bool is_ready(const Json& pod) {
  const Json* conditions = kube::find(pod, "status/conditions");
  if (conditions == nullptr) return false;
  return std::any_of(conditions->begin(), conditions->end(), [](const Json& condition) {
    return kube::string_at(condition, "type") == "Ready" &&
           kube::string_at(condition, "status") == "True";
  });
}

const std::vector<ResourceType>& owned_types() {
  static const std::vector<ResourceType> kAll = {kube::kConfigMaps,
                                                 kube::kSecrets,
                                                 kube::kServices,
                                                 kube::kServiceAccounts,
                                                 kube::kPods,
                                                 kube::kDeployments,
                                                 kube::kStatefulSets,
                                                 kube::kJobs,
                                                 kube::kHorizontalPodAutoscalers,
                                                 kube::kPodDisruptionBudgets,
                                                 kube::kNetworkPolicies,
                                                 kube::kServiceMonitors,
                                                 kube::kPrometheusRules};
  return kAll;
}

constexpr char kHashLabel[] = "fake/template";

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

const std::string& FakeKube::template_hash(const Json& workload) {
  std::string& hash =
      template_hashes_[kube::string_at(workload, "metadata/uid") + "/" +
                       std::to_string(kube::int_at(workload, "metadata/generation"))];
  if (hash.empty()) hash = kube::fingerprint(workload["spec"]["template"]).substr(0, 8);
  return hash;
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
  // No controller looks at these, and a Lease never rests.
  if (!(type == kube::kLeases) && !(type == kube::kEvents)) moved_at_ = version_;
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
  } else if (!keep_generation &&
             next.object.value("spec", Json()) != before->second.object.value("spec", Json())) {
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
  const FieldSet wanted = fields_of(intent, status);
  const Manager self{options.field_manager, true};
  for (auto& [manager, fields] : stored.managers) {
    if (manager == self) continue;
    for (const std::string& path : wanted) {
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
    if (wanted.contains(path)) continue;
    const bool shared = std::any_of(
        stored.managers.begin(), stored.managers.end(),
        [&](const auto& entry) { return entry.first != self && entry.second.contains(path); });
    if (!shared) remove_at(next, split(path));
  }
  stored.managers[self] = wanted;
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

std::vector<Json> FakeKube::pods_of(const Json& owner) {
  std::vector<Json> out;
  const ObjectKey key = key_of(owner);
  Kind& pods = kind_of(kube::kPods);
  for (auto at = pods.lower_bound({key.name_space, ""});
       at != pods.end() && at->first.name_space == key.name_space; ++at) {
    if (kube::string_at(at->second.object, "metadata/ownerReferences/0/uid") ==
        kube::string_at(owner, "metadata/uid"))
      out.push_back(at->second.object);
  }
  return out;
}

bool FakeKube::make_pod(const Json& owner, const ResourceType& owner_type,
                        const std::string& name) {
  if (const std::string refusal = refuse_pods(owner); !refusal.empty()) {
    if (owner_type == kube::kDeployments) return false;
    const std::string uid = kube::string_at(owner, "metadata/uid");
    const ObjectKey event{kube::string_at(owner, "metadata/namespace"), "refused." + uid};
    update(kube::kEvents, event,
           {{"metadata", {{"name", event.name}, {"namespace", event.name_space}}},
            {"type", "Warning"},
            {"reason", "FailedCreate"},
            {"regarding",
             {{"kind", owner_type.kind}, {"name", owner["metadata"]["name"]}, {"uid", uid}}},
            {"note", "Error creating: pods \"" + name + "\" is forbidden: " + refusal}},
           "kube-controller-manager", false);
    return false;
  }
  const ObjectKey key{kube::string_at(owner, "metadata/namespace"), name};
  Json pod = owner["spec"]["template"];
  pod["metadata"]["name"] = key.name;
  pod["metadata"]["namespace"] = key.name_space;
  pod["metadata"]["labels"][kHashLabel] = template_hash(owner);
  if (owner_type == kube::kJobs)
    pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] =
        kube::string_at(owner, "metadata/name");
  pod["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", owner_type.api_version()},
                                                     {"kind", owner_type.kind},
                                                     {"name", owner["metadata"]["name"]},
                                                     {"uid", owner["metadata"]["uid"]},
                                                     {"controller", true}}});
  pod["status"] = {{"phase", "Pending"}};
  update(kube::kPods, key, std::move(pod), "kube-controller-manager", false);
  return true;
}

void FakeKube::run_pod(const ObjectKey& key, const PodFate& is) {
  Json pod = kind_of(kube::kPods).at(key).object;
  Json& status = pod["status"];
  const bool was_ready = is_ready(pod);
  const std::string container = kube::string_at(pod, "spec/containers/0/name", "main");
  const std::int64_t restarts = kube::int_at(status, "containerStatuses/0/restartCount");
  const auto ready_condition = [&](bool ready) {
    const std::string since =
        was_ready == ready ? kube::string_at(status, "conditions/0/lastTransitionTime", now_text())
                           : now_text();
    return Json::array(
        {{{"type", "Ready"}, {"status", ready ? "True" : "False"}, {"lastTransitionTime", since}}});
  };
  if (is.kind == PodFate::Kind::kUnschedulable) {
    status = {{"phase", "Pending"},
              {"conditions", Json::array({{{"type", "PodScheduled"},
                                           {"status", "False"},
                                           {"reason", "Unschedulable"},
                                           {"message", is.message}}})}};
    update(kube::kPods, key, std::move(pod), "kube-scheduler", true);
    return;
  }
  const bool ready = is.kind == PodFate::Kind::kReady;
  const bool crashes = is.kind == PodFate::Kind::kCrashes;
  Json container_status = {{"name", container}, {"ready", ready}, {"restartCount", restarts}};
  if (crashes) {
    container_status["restartCount"] = restarts + 1;
    container_status["state"] = {
        {"waiting", {{"reason", "CrashLoopBackOff"}, {"message", "back-off restarting"}}}};
    container_status["lastState"] = {{"terminated",
                                      {{"exitCode", is.exit_code},
                                       {"reason", "Error"},
                                       {"message", is.message},
                                       {"finishedAt", now_text()}}}};
  } else {
    container_status["state"] = {{"running", {{"startedAt", now_text()}}}};
    const Json* state = kube::find(status, "containerStatuses/0/state/running");
    if (state != nullptr) container_status["state"]["running"] = *state;
    const Json* last = kube::find(status, "containerStatuses/0/lastState");
    if (last != nullptr) container_status["lastState"] = *last;
  }
  const std::string ip = "10.0." + std::to_string(std::hash<std::string>()(key.name) % 250) + ".7";
  status = {{"phase", "Running"},
            {"podIP", ip},
            {"conditions", ready_condition(ready)},
            {"containerStatuses", Json::array({std::move(container_status)})}};
  update(kube::kPods, key, std::move(pod), "kubelet", true);
}

void FakeKube::workload_status(const ResourceType& type, const Json& workload) {
  std::int64_t ready = 0;
  std::int64_t updated = 0;
  const auto pods = pods_of(workload);
  for (const Json& pod : pods) {
    ready += is_ready(pod) ? 1 : 0;
    updated += kube::string_at(pod, "metadata/labels/fake~1template") == template_hash(workload);
  }
  Json next = kind_of(type).at(key_of(workload)).object;
  next["status"] = {{"observedGeneration", workload["metadata"]["generation"]},
                    {"replicas", pods.size()},
                    {"readyReplicas", ready},
                    {"availableReplicas", ready},
                    {"updatedReplicas", updated},
                    {"unavailableReplicas",
                     std::max<std::int64_t>(0, kube::int_at(workload, "spec/replicas") - ready)}};
  const bool lacks_pods =
      static_cast<std::int64_t>(pods.size()) < kube::int_at(workload, "spec/replicas", 1);
  const std::string refusal = lacks_pods ? refuse_pods(workload) : "";
  if (type == kube::kDeployments && !refusal.empty())
    next["status"]["conditions"] =
        Json::array({{{"type", "ReplicaFailure"},
                      {"status", "True"},
                      {"reason", "FailedCreate"},
                      {"message", "pods \"x\" is forbidden: " + refusal}}});
  if (type == kube::kStatefulSets) {
    next["status"]["updateRevision"] = template_hash(workload);
    next["status"]["currentRevision"] =
        updated == static_cast<std::int64_t>(pods.size()) ? template_hash(workload) : "old";
  }
  update(type, key_of(workload), std::move(next), "kube-controller-manager", true);
}

void FakeKube::run_deployments() {
  std::vector<Json> deployments;
  for (const auto& [key, stored] : kind_of(kube::kDeployments))
    deployments.push_back(stored.object);
  for (const Json& deployment : deployments) {
    const auto wanted = kube::int_at(deployment, "spec/replicas", 1);
    std::vector<ObjectKey> old;
    std::int64_t current = 0;
    std::int64_t current_ready = 0;
    std::int64_t old_ready = 0;
    for (const Json& pod : pods_of(deployment)) {
      if (kube::string_at(pod, "metadata/labels/fake~1template") == template_hash(deployment)) {
        ++current;
        current_ready += is_ready(pod) ? 1 : 0;
      } else {
        old.push_back(key_of(pod));
        old_ready += is_ready(pod) ? 1 : 0;
      }
    }
    const auto count_old = static_cast<std::int64_t>(old.size());
    // maxSurge 1, maxUnavailable 0.
    while (current < wanted && current + count_old < wanted + (count_old > 0 ? 1 : 0)) {
      ++current;
      if (!make_pod(deployment, kube::kDeployments,
                    kube::string_at(deployment, "metadata/name") + "-" + template_hash(deployment) +
                        "-" + std::to_string(++uids_)))
        break;
    }
    for (const ObjectKey& key : old) {
      const bool ready = is_ready(kind_of(kube::kPods).at(key).object);
      if (ready && current_ready + old_ready <= wanted) continue;
      old_ready -= ready ? 1 : 0;
      erase_locked(kube::kPods, key);
    }
    for (const Json& pod : pods_of(deployment)) {
      if (current <= wanted) break;
      erase_locked(kube::kPods, key_of(pod));
      --current;
    }
  }
}

void FakeKube::run_stateful_sets() {
  std::vector<Json> sets;
  for (const auto& [key, stored] : kind_of(kube::kStatefulSets)) sets.push_back(stored.object);
  for (const Json& set : sets) {
    const auto wanted = kube::int_at(set, "spec/replicas", 1);
    const auto partition = kube::int_at(set, "spec/updateStrategy/rollingUpdate/partition", 0);
    const std::string base = kube::string_at(set, "metadata/name") + "-";
    const std::string name_space = kube::string_at(set, "metadata/namespace");
    bool all_current_ready = true;
    for (std::int64_t i = 0; i < wanted; ++i) {
      const ObjectKey key{name_space, base + std::to_string(i)};
      const auto found = kind_of(kube::kPods).find(key);
      if (found == kind_of(kube::kPods).end()) {
        make_pod(set, kube::kStatefulSets, key.name);
        all_current_ready = false;
      } else if (kube::string_at(found->second.object, "metadata/labels/fake~1template") ==
                     template_hash(set) &&
                 !is_ready(found->second.object)) {
        all_current_ready = false;
      }
    }
    for (const Json& pod : pods_of(set)) {
      const std::string name = kube::string_at(pod, "metadata/name");
      if (std::strtoll(name.substr(base.size()).c_str(), nullptr, 10) >= wanted)
        erase_locked(kube::kPods, {name_space, name});
    }
    // The highest ordinal that is old goes, once all new ones are ready.
    for (std::int64_t i = wanted - 1; all_current_ready && i >= partition; --i) {
      const ObjectKey key{name_space, base + std::to_string(i)};
      const Json pod = kind_of(kube::kPods).at(key).object;
      if (kube::string_at(pod, "metadata/labels/fake~1template") == template_hash(set)) continue;
      erase_locked(kube::kPods, key);
      break;
    }
  }
}

void FakeKube::run_jobs() {
  std::vector<Json> jobs;
  for (const auto& [key, stored] : kind_of(kube::kJobs)) jobs.push_back(stored.object);
  for (Json& job : jobs) {
    if (kube::int_at(job, "status/succeeded") > 0 || kube::int_at(job, "status/failed") > 0)
      continue;
    if (pods_of(job).empty() &&
        !make_pod(job, kube::kJobs, kube::string_at(job, "metadata/name") + "-pod"))
      continue;
    Json pod = pods_of(job).front();
    const PodFate result = fate(pod);
    if (result.kind == PodFate::Kind::kNotReady || result.kind == PodFate::Kind::kUnschedulable)
      continue;
    const bool ok = result.kind == PodFate::Kind::kReady;
    pod["status"] = {
        {"phase", ok ? "Succeeded" : "Failed"},
        {"containerStatuses", Json::array({{{"name", "topics"},
                                            {"restartCount", 0},
                                            {"ready", false},
                                            {"state",
                                             {{"terminated",
                                               {{"exitCode", ok ? 0 : result.exit_code},
                                                {"reason", ok ? "Completed" : "Error"},
                                                {"message", result.message},
                                                {"finishedAt", now_text()}}}}}}})}};
    update(kube::kPods, key_of(pod), pod, "kubelet", true);
    job["status"] = {{ok ? "succeeded" : "failed", 1},
                     {"conditions", Json::array({{{"type", ok ? "Complete" : "Failed"},
                                                  {"status", "True"},
                                                  {"lastTransitionTime", now_text()}}})}};
    update(kube::kJobs, key_of(job), job, "kube-controller-manager", true);
  }
}

void FakeKube::run_garbage_collector() {
  std::set<std::string> uids;
  for (const auto& [plural, kind] : kinds_)
    for (const auto& [key, stored] : kind)
      uids.insert(key.name_space + "/" + kube::string_at(stored.object, "metadata/uid"));
  std::vector<std::pair<ResourceType, ObjectKey>> orphans;
  for (const ResourceType& type : owned_types()) {
    for (const auto& [key, stored] : kind_of(type)) {
      const Json* owners = kube::find(stored.object, "metadata/ownerReferences");
      if (owners == nullptr || owners->empty()) continue;
      // An owner of another namespace does not exist for it.
      const bool owned = std::any_of(owners->begin(), owners->end(), [&](const Json& owner) {
        return uids.contains(key.name_space + "/" + kube::string_at(owner, "uid"));
      });
      if (!owned) orphans.emplace_back(type, key);
    }
  }
  for (const auto& [type, key] : orphans) erase_locked(type, key);
}

FakeKube::Fates FakeKube::ask_fates() {
  Fates fates;
  for (const auto& [key, stored] : kind_of(kube::kPods)) {
    if (kube::string_at(stored.object, "metadata/ownerReferences/0/kind") != "Job")
      fates.emplace(key, fate(stored.object));
  }
  return fates;
}

bool FakeKube::has_running_jobs() {
  const Kind& jobs = kind_of(kube::kJobs);
  return std::any_of(jobs.begin(), jobs.end(), [](const auto& entry) {
    const Json& job = entry.second.object;
    return kube::int_at(job, "status/succeeded") == 0 && kube::int_at(job, "status/failed") == 0;
  });
}

void FakeKube::step() {
  MutexLock lock(mutex_);
  Fates fates = ask_fates();
  const std::uint64_t before = moved_at_;
  if (rests_at_ == before && rests_with_ == fates && !has_running_jobs()) return;
  run_garbage_collector();
  run_deployments();
  run_stateful_sets();
  run_jobs();
  std::vector<Json> pods;
  for (const auto& [key, stored] : kind_of(kube::kPods)) pods.push_back(stored.object);
  for (const Json& pod : pods) {
    if (kube::string_at(pod, "metadata/ownerReferences/0/kind") == "Job") continue;
    if (kube::string_at(pod, "status/phase") == "Failed") continue;  // For good.
    const auto known = fates.find(key_of(pod));
    run_pod(key_of(pod), known == fates.end() ? fate(pod) : known->second);
  }
  for (const auto& type : {kube::kDeployments, kube::kStatefulSets}) {
    std::vector<Json> workloads;
    for (const auto& [key, stored] : kind_of(type)) workloads.push_back(stored.object);
    for (const Json& workload : workloads) workload_status(type, workload);
  }
  if (moved_at_ != before) return;
  rests_at_ = before;
  rests_with_ = std::move(fates);
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
