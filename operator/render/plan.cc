#include "operator/render/plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "operator/json/json_pointer.h"
#include "operator/render/yaml_difference.h"

namespace spanway::render {
namespace {

constexpr std::size_t kShownKeys = 5;
constexpr char kTemplate[] = "spec/template/";
constexpr char kAnnotations[] = "spec/template/metadata/annotations/";

using Place = std::pair<std::string, kube::ObjectKey>;  // Kind and key.

Place place_of(const Json& object) {
  return {
      kube::string_at(object, "kind"),
      {kube::string_at(object, "metadata/namespace"), kube::string_at(object, "metadata/name")}};
}

// All paths whose values differ. Lists are compared as a whole unless they have one item each, as
// a pod's containers do.
void collect_differences(const Json& live, const Json& intent, const std::string& path,
                         std::vector<std::string>& out) {
  if (kube::contains(live, intent)) return;
  if (intent.is_object() && live.is_object()) {
    for (const auto& [key, desired] : intent.items()) {
      const std::string inner =
          path.empty() ? kube::escape_step(key) : path + "/" + kube::escape_step(key);
      const auto found = live.find(key);
      if (found != live.end()) {
        collect_differences(*found, desired, inner, out);
      } else if (!kube::contains(live, Json{{key, desired}})) {
        out.push_back(inner);
      }
    }
    return;
  }
  if (intent.is_array() && live.is_array() && intent.size() == 1 && live.size() == 1)
    return collect_differences(live[0], intent[0], path + "/0", out);
  out.push_back(path);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < std::min(words.size(), kShownKeys); ++i)
    out += (i == 0 ? "" : ", ") + words[i];
  if (words.size() > kShownKeys)
    out += " and " + std::to_string(words.size() - kShownKeys) + " more";
  return out;
}

// "a=1,b=2" to {a: 1, b: 2}.
std::map<std::string, std::string> parse_identities(const std::string& text) {
  std::map<std::string, std::string> out;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string pair = text.substr(begin, end - begin);
    const std::size_t equals = pair.find('=');
    if (equals != std::string::npos) out[pair.substr(0, equals)] = pair.substr(equals + 1);
    begin = end + 1;
  }
  return out;
}

class Planner {
 public:
  explicit Planner(const std::vector<Json>& live) {
    for (const Json& object : live) live_.emplace(place_of(object), &object);
  }

  void add(const Manifest& manifest, const Component* component) {
    const Json* live = find(place_of(manifest.object));
    desired_.insert(place_of(manifest.object));
    Change change;
    change.manifest = manifest;
    if (live == nullptr) {
      change.kind = Change::Kind::kCreate;
    } else {
      collect_differences(*live, manifest.object, "", change.fields);
      if (!change.fields.empty()) change.kind = Change::Kind::kUpdate;
      if (component != nullptr) explain(*live, *component, change);
    }
    changes_.push_back(std::move(change));
  }

  // Owned objects that are no longer desired.
  void add_deletions(const std::string& pipeline) {
    for (const auto& [place, object] : live_) {
      if (desired_.contains(place)) continue;
      if (kube::string_at(*object, "metadata/labels/spanway.dev~1pipeline") != pipeline) continue;
      // A canary comes and goes with its rollout.
      if (kube::string_at(*object, "metadata/labels/spanway.dev~1track") == "canary") continue;
      const auto kinds = rendered_kinds();
      const auto type =
          std::find_if(kinds.begin(), kinds.end(),
                       [&kind = place.first](const auto& known) { return known.kind == kind; });
      if (type == kinds.end()) continue;
      Change change;
      change.kind = Change::Kind::kDelete;
      change.manifest = {*type, *object};
      change.why = "no longer desired";
      changes_.push_back(std::move(change));
    }
  }

  std::vector<Change> take() { return std::move(changes_); }

 private:
  const Json* find(const Place& place) const {
    const auto found = live_.find(place);
    return found == live_.end() ? nullptr : found->second;
  }

  void explain(const Json& live, const Component& component, Change& change) const {
    // The revision is part of the template; so are foreign changes of it.
    change.restarts_pods =
        std::any_of(change.fields.begin(), change.fields.end(),
                    [](const std::string& field) { return field.starts_with(kTemplate); });
    std::vector<std::string> reasons;
    if (change.restarts_pods) reasons = reasons_to_restart(live, component, change.fields);
    const Json* replicas = kube::find(change.manifest.object, "spec/replicas");
    if (replicas != nullptr && kube::find(live, "spec/replicas") != nullptr &&
        *replicas != live["spec"]["replicas"])
      reasons.push_back("replicas: " + kube::to_text(live["spec"]["replicas"]) + " to " +
                        kube::to_text(*replicas));
    for (const std::string& reason : reasons)
      change.why += (change.why.empty() ? "" : "; ") + reason;
  }

  std::vector<std::string> reasons_to_restart(const Json& live, const Component& component,
                                              const std::vector<std::string>& fields) const {
    std::vector<std::string> reasons;
    std::vector<std::string> others;
    for (const std::string& field : fields) {
      if (!field.starts_with(kTemplate)) continue;
      if (field.ends_with("/image")) {
        reasons.emplace_back("image");
      } else if (field.find("/volumes") != std::string::npos) {
        if (std::string keys = configuration_changes(live, component); !keys.empty())
          reasons.push_back("configuration: " + keys);
        else
          others.push_back(field.substr(sizeof(kTemplate) - 1));
      } else if (field == std::string(kAnnotations) + "spanway.dev~1secrets") {
        reasons.push_back(secret_changes(live, component));
      } else if (field == std::string(kAnnotations) + "spanway.dev~1restart") {
        reasons.emplace_back("a restart was requested");
      } else if (field != std::string(kAnnotations) + "spanway.dev~1revision") {
        others.push_back(field.substr(sizeof(kTemplate) - 1));
      }
    }
    if (!others.empty()) reasons.push_back("pod template: " + joined(others));
    if (reasons.empty()) reasons.emplace_back("pod template");
    return reasons;
  }

  static const std::string* file_in(const Json& config_map) {
    const Json* text = kube::find(config_map, "data/config.yaml");
    return text == nullptr ? nullptr : text->get_ptr<const Json::string_t*>();
  }

  // The keys that differ between the file that is mounted now and the one that will be.
  std::string configuration_changes(const Json& live, const Component& component) const {
    const std::string name = kube::string_at(live, "spec/template/spec/volumes/0/configMap/name");
    const Json* before = find({"ConfigMap", {kube::string_at(live, "metadata/namespace"), name}});
    const std::string* after = nullptr;
    for (const Manifest& manifest : component.support) {
      if (manifest.type == kube::kConfigMaps) after = file_in(manifest.object);
    }
    if (before == nullptr || after == nullptr || file_in(*before) == nullptr) return "";
    return joined(yaml_differences(*file_in(*before), *after));
  }

  static std::string secret_changes(const Json& live, const Component& component) {
    const std::string path = std::string(kAnnotations) + "spanway.dev~1secrets";
    const auto before = parse_identities(kube::string_at(live, path));
    const auto after = parse_identities(kube::string_at(component.workload.object, path));
    std::vector<std::string> names;
    for (const auto& [name, identity] : after) {
      const auto found = before.find(name);
      if (found == before.end() || found->second != identity) names.push_back(name);
    }
    return "Secret " + joined(names) + " changed";
  }

  std::map<Place, const Json*> live_;
  std::set<Place> desired_;
  std::vector<Change> changes_;
};

const char* verb(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kCreate:
      return "+ create";
    case Change::Kind::kUpdate:
      return "~ change";
    case Change::Kind::kDelete:
      return "- delete";
    case Change::Kind::kNone:
      return "= keep";
  }
  return "";
}

}  // namespace

std::vector<Change> plan(const Rendering& desired, const std::vector<Json>& live) {
  Planner planner(live);
  for (const Manifest& manifest : desired.shared) planner.add(manifest, nullptr);
  if (desired.topics_job) planner.add(*desired.topics_job, nullptr);
  for (const MigrateJob& migrate : desired.migrate_jobs) planner.add(migrate.job, nullptr);
  std::string pipeline;
  for (const Component& component : desired.components) {
    for (const Manifest& manifest : component.support) planner.add(manifest, nullptr);
    planner.add(component.workload, &component);
    pipeline = kube::string_at(component.workload.object, "metadata/labels/spanway.dev~1pipeline");
  }
  planner.add_deletions(pipeline);
  return planner.take();
}

std::string to_text(const std::vector<Change>& changes) {
  std::array<int, 4> counts{};
  std::string out;
  std::string restarting;
  for (const Change& change : changes) {
    ++counts[static_cast<std::size_t>(change.kind)];
    if (change.kind == Change::Kind::kNone) continue;
    out += std::string(verb(change.kind)) + " " + std::string(change.manifest.type.kind) + " " +
           change.manifest.key().name;
    if (change.restarts_pods) {
      out += " (restarts its pods)";
      restarting += (restarting.empty() ? "" : ", ") + change.manifest.key().name;
    }
    out += change.why.empty() ? "\n" : ": " + change.why + "\n";
    for (const std::string& field : change.fields) out += "    " + field + "\n";
  }
  const auto count = [&counts](Change::Kind kind) {
    return std::to_string(counts[static_cast<std::size_t>(kind)]);
  };
  out += count(Change::Kind::kCreate) + " to create, " + count(Change::Kind::kUpdate) +
         " to change, " + count(Change::Kind::kDelete) + " to delete, " +
         count(Change::Kind::kNone) + " unchanged\n";
  out += restarting.empty() ? "no pods restart\n" : "pods restart: " + restarting + "\n";
  return out;
}

}  // namespace spanway::render
