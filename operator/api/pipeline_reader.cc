// Reading: JSON to structs, by the declaration.
#include <algorithm>
#include <regex>
#include <set>

#include "operator/api/declaration.h"
#include "operator/api/fields.h"
#include "operator/api/kubernetes_types.h"
#include "services/lib/base/utf8.h"
#include "services/lib/config/scalar.h"

namespace spanway::api {
namespace {

using config::Problems;

constexpr char kApiVersion[] = "spanway.dev/v1alpha1";
constexpr char kKind[] = "Pipeline";
// Known names are listed in a message up to this number.
constexpr std::size_t kListedNamesMax = 12;
constexpr std::size_t kShownBytesMax = 64;
// Problems reported of one Pipeline.
constexpr std::size_t kProblemsMax = 100;
// Bytes of the spec as JSON: the last good one is kept in a ConfigMap, which may have 1 MiB.
constexpr std::size_t kSpecBytesMax = 512u << 10;
// The regex library recurses once per character.
constexpr std::size_t kPatternBytesMax = 4096;

// Shared by all readers of one Pipeline.
class State {
 public:
  explicit State(Problems& problems) : problems_(problems), before_(problems.all().size()) {}

  void add(const std::string& path, std::string message) {
    if (!is_full()) problems_.add(path, std::move(message));
  }
  bool is_full() const { return problems_.all().size() - before_ >= kProblemsMax; }
  // A field could not be read: skip the rules, which would report consequences.
  void add_unreadable(const std::string& path, std::string message) {
    ++unreadable_;
    add(path, std::move(message));
  }
  std::size_t unreadable() const noexcept { return unreadable_; }

  bool matches(std::string_view text, const char* pattern) {
    if (text.size() > kPatternBytesMax) return false;
    const auto [entry, is_new] = patterns_.try_emplace(pattern);
    if (is_new) entry->second = std::regex(pattern, std::regex::ECMAScript);
    return std::regex_match(text.begin(), text.end(), entry->second);
  }

 private:
  Problems& problems_;
  const std::size_t before_;
  std::size_t unreadable_ = 0;
  std::map<std::string, std::regex> patterns_;
};

std::string joined(const EnumNames& names) {
  std::string all;
  for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

// Code points that a terminal does not draw or that reorder what it draws: controls, zero widths,
// bidirectional marks, a byte order mark, line separators.
bool is_invisible(std::uint32_t c) {
  return (c >= 0x7f && c <= 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

// Scripts with letters that resemble ASCII: Greek, Cyrillic, Armenian,
// Cherokee, mathematical and full-width forms.
bool resembles_ascii(std::uint32_t c) {
  return (c >= 0x370 && c <= 0x58f) || (c >= 0x13a0 && c <= 0x13ff) ||
         (c >= 0xff00 && c <= 0xffef) || (c >= 0x1d400 && c <= 0x1d7ff);
}

std::string in_ascii(std::string_view text) {
  const std::string quoted = Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

// User input inside a message: short, on one line, as UTF-8. Invisible characters, and ambiguous
// letters in a text that has ASCII letters, are escaped as in JSON.
std::string shown(std::string_view text) {
  const std::string_view kept = text.substr(0, utf8_prefix(text, kShownBytesMax));
  const std::string quoted = kube::to_text(Json(kept));
  const bool is_mixed = std::any_of(kept.begin(), kept.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  std::string out;
  for (std::string_view rest = std::string_view(quoted).substr(1, quoted.size() - 2);
       !rest.empty();) {
    // The writer has replaced what is no UTF-8.
    const CodePoint next = decode_utf8(rest);
    const std::string_view character = rest.substr(0, std::max<std::size_t>(next.length, 1));
    const bool is_escaped = is_invisible(next.value) || (is_mixed && resembles_ascii(next.value));
    out += is_escaped ? in_ascii(character) : std::string(character);
    rest.remove_prefix(character.size());
  }
  return kept.size() < text.size() ? out + "..." : out;
}

bool is_label_key(std::string_view key, State& state) {
  const std::size_t slash = key.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view domain = key.substr(0, slash);
    if (domain.size() > 253 || !state.matches(domain, "[a-z0-9]([-a-z0-9.]*[a-z0-9])?"))
      return false;
    key.remove_prefix(slash + 1);
  }
  return key.size() <= 63 && state.matches(key, "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?");
}

// Reads one object. Null = missing: every field keeps its default.
class Reader final : public Fields {
 public:
  Reader(State& state, const Json* object, std::string path)
      : state_(state),
        object_(object),
        path_(std::move(path)),
        unreadable_before_(state.unreadable()) {}

  using Fields::field;
  void field(std::string_view name, bool& value, const FieldInfo& info) override {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    if (!given->is_boolean()) return wrong_type(name, "true or false");
    value = given->get<bool>();
  }
  void field(std::string_view name, std::int64_t& value, const FieldInfo& info) override {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    if (!given->is_number_integer()) return wrong_type(name, "a whole number");
    const bool huge = given->is_number_unsigned() &&
                      given->get<std::uint64_t>() > static_cast<std::uint64_t>(info.max);
    const std::int64_t number = huge ? info.max : given->get<std::int64_t>();
    if (huge || number < info.min || number > info.max) {
      return refuse(name,
                    "must be from " + std::to_string(info.min) + " to " + std::to_string(info.max));
    }
    value = number;
  }
  void field(std::string_view name, std::string& value, const FieldInfo& info) override {
    const Json* given = take(name, info);
    if (given != nullptr) read_text(*given, path_of(name), value, info);
  }
  void field(std::string_view name, Duration& value, const FieldInfo& info) override {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    const auto duration = given->is_string() && state_.matches(text_of(*given), kDurationPattern)
                              ? config::parse_duration(text_of(*given))
                              : std::nullopt;
    if (!duration) return wrong_type(name, "a duration such as 30s, 5m or 24h");
    if (*duration < std::chrono::milliseconds(info.min) ||
        *duration > std::chrono::milliseconds(info.max))
      return refuse(name, duration_bounds_message(info));
    value = *duration;
  }
  void field(std::string_view name, std::vector<std::string>& value,
             const FieldInfo& info) override {
    read_set(name, value, info, [&](const Json& item, const std::string& path, std::string& text) {
      return read_text(item, path, text, info);
    });
  }
  void field(std::string_view name, std::map<std::string, std::string>& value,
             const FieldInfo& info) override {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    if (!given->is_object()) return wrong_type(name, "a mapping of texts");
    if (given->size() > info.items_max)
      return refuse(name, "must have at most " + std::to_string(info.items_max) + " entries");
    for (const auto& [key, item] : given->items()) {
      const std::string path = path_of(name) + "[" + shown(key) + "]";
      if (!is_label_key(key, state_))
        state_.add_unreadable(path, "is no name of a label or annotation");
      else
        read_text(item, path, value[key], info);
    }
  }
  void quantity(std::string_view name, std::string& value, const FieldInfo& info) override {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    const std::string text = given->is_number_integer() ? given->dump()
                             : given->is_string()       ? std::string(text_of(*given))
                                                        : "";
    if (text.size() > kQuantityLengthMax || !state_.matches(text, kQuantityPattern))
      return refuse(name, kQuantityMessage);
    value = text;
  }
  void word(std::string_view name, int& value, const EnumNames& names,
            const FieldInfo& info) override {
    const Json* given = take(name, info);
    if (given != nullptr) value = read_word(*given, path_of(name), names).value_or(value);
  }
  void words(std::string_view name, std::vector<std::string>& value, const EnumNames& names,
             const FieldInfo& info) override {
    read_set(name, value, info, [&](const Json& item, const std::string& path, std::string& text) {
      const std::optional<int> number = read_word(item, path, names);
      if (number) text = names[static_cast<std::size_t>(*number)];
      return number.has_value();
    });
  }
  void raw(std::string_view name, Json& value, RawShape shape, const FieldInfo& info) override {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    if (shape == RawShape::kObject && !given->is_object()) return wrong_type(name, "a mapping");
    if (shape == RawShape::kListOfObjects) {
      const auto is_object = [](const Json& item) { return item.is_object(); };
      if (!given->is_array() || !std::all_of(given->begin(), given->end(), is_object))
        return wrong_type(name, "a list of mappings");
      if (given->size() > info.items_max)
        return refuse(name, "must have at most " + std::to_string(info.items_max) + " items");
    }
    if (kube::to_text(*given).size() > kRawBytesMax)
      return refuse(name, "must be at most 64 KiB of JSON");
    if (*info.kubernetes_type != '\0' && !fits_type(*given, shape, path_of(name), info)) return;
    value = *given;
  }

  void group(std::string_view name, const FieldInfo& info, const Describe& describe) override {
    const Json* given = take(name, info);
    if (given == nullptr && info.required) return;
    if (given != nullptr && !given->is_object()) return wrong_type(name, "a mapping");
    read_object(given, path_of(name), describe);
  }
  void optional_impl(std::string_view name, const FieldInfo& info, bool,
                     const std::function<void()>& emplace, const Describe& describe) override {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    if (!given->is_object()) return wrong_type(name, "a mapping");
    emplace();
    read_object(given, path_of(name), describe);
  }
  void list_impl(std::string_view name, const FieldInfo& info, const List& list) override {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    if (!given->is_array()) return wrong_type(name, "a list");
    if (!check_size(name, given->size(), info)) return;
    list.resize(given->size());
    std::set<std::string> keys;
    for (std::size_t i = 0; i < given->size(); ++i) {
      const Json& item = (*given)[i];
      const std::string key = kube::string_at(item, list.key);
      const std::string label = key.empty() ? std::to_string(i) : shown(key);
      const std::string path = path_of(name) + "[" + label + "]";
      if (!item.is_object()) {
        state_.add_unreadable(path, "must be a mapping");
        continue;
      }
      if (!key.empty() && !keys.insert(key).second)
        state_.add(path, "occurs twice; each needs its own " + std::string(list.key));
      read_object(&item, path, [&](Fields& inner) { list.describe_item(inner, i); });
    }
  }

  void rule_impl(const RuleInfo& info, const std::function<bool()>& holds) override {
    rules_.push_back({info, holds});
  }
  void transition_impl(const RuleInfo&, const void*,
                       const std::function<bool(const void*)>&) override {}

  // Members of the root that are not part of the declaration.
  void allow(std::string_view name) { known_.emplace_back(name); }

  // Called once everything has been described.
  void finish() {
    refuse_unknown();
    if (state_.unreadable() != unreadable_before_) return;
    for (const Rule& rule : rules_)
      if (!rule.holds()) state_.add(path_of(rule.info.field), rule.info.message);
  }

 private:
  struct Rule {
    RuleInfo info;
    std::function<bool()> holds;
  };
  using ReadItem = std::function<bool(const Json&, const std::string& path, std::string& text)>;

  static std::string_view text_of(const Json& value) { return value.get_ref<const std::string&>(); }
  std::string path_of(std::string_view name) const {
    if (name.empty()) return path_;
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  void refuse(std::string_view name, std::string message) {
    state_.add_unreadable(path_of(name), std::move(message));
  }
  void wrong_type(std::string_view name, const std::string& expected) {
    refuse(name, "must be " + expected);
  }

  // The value, or null when it is missing; a null in the file counts as missing.
  const Json* take(std::string_view name, const FieldInfo& info) {
    known_.emplace_back(name);
    if (object_ != nullptr) {
      const auto found = object_->find(name);
      if (found != object_->end() && !found->is_null()) return &*found;
    }
    if (info.required) refuse(name, "is required");
    return nullptr;
  }
  void read_object(const Json* object, const std::string& path, const Describe& describe) {
    Reader reader(state_, object, path);
    describe(reader);
    reader.finish();
  }
  bool read_text(const Json& given, const std::string& path, std::string& value,
                 const FieldInfo& info) {
    if (!given.is_string()) {
      state_.add_unreadable(path, "must be a text; write it in quotes");
      return false;
    }
    const std::string_view text = text_of(given);
    std::string problem;
    if (text.size() < info.length_min)
      problem = text.empty() ? "must not be empty; leave it out instead"
                             : "must be at least " + std::to_string(info.length_min) + " long";
    else if (text.size() > info.length_max)
      problem = "must be at most " + std::to_string(info.length_max) + " long";
    else if (*info.pattern != '\0' && !state_.matches(text, info.pattern))
      problem = "'" + shown(text) + "' must match " + info.pattern;
    if (!problem.empty()) {
      state_.add_unreadable(path, problem);
      return false;
    }
    value = text;
    return true;
  }
  std::optional<int> read_word(const Json& given, const std::string& path, const EnumNames& names) {
    const auto found =
        given.is_string() ? std::find(names.begin(), names.end(), text_of(given)) : names.end();
    if (found != names.end()) return static_cast<int>(found - names.begin());
    const std::vector<std::string> candidates(names.begin(), names.end());
    const std::string hint =
        given.is_string() ? config::did_you_mean(text_of(given), candidates) : "";
    state_.add_unreadable(path, "must be one of " + joined(names) + hint);
    return std::nullopt;
  }
  bool fits_type(const Json& given, RawShape shape, const std::string& path,
                 const FieldInfo& info) {
    bool fits = true;
    const AddProblem add = [&](const std::string& where, std::string message) {
      fits = false;
      state_.add_unreadable(where, std::move(message));
    };
    if (shape == RawShape::kObject) {
      check_kubernetes_type(info.kubernetes_type, given, path, add);
      return fits;
    }
    for (std::size_t i = 0; i < given.size(); ++i)
      check_kubernetes_type(info.kubernetes_type, given[i], path + "[" + std::to_string(i) + "]",
                            add);
    return fits;
  }
  bool check_size(std::string_view name, std::size_t size, const FieldInfo& info) {
    if (size < info.items_min)
      refuse(name, "must have at least " + std::to_string(info.items_min) +
                       (info.items_min == 1 ? " item" : " items"));
    else if (size > info.items_max)
      refuse(name, "must have at most " + std::to_string(info.items_max) + " items");
    else
      return true;
    return false;
  }
  void read_set(std::string_view name, std::vector<std::string>& value, const FieldInfo& info,
                const ReadItem& read_item) {
    const Json* given = take(name, info);
    if (given == nullptr) return;
    if (!given->is_array()) return wrong_type(name, "a list");
    if (!check_size(name, given->size(), info)) return;
    value.clear();
    for (std::size_t i = 0; i < given->size(); ++i) {
      const std::string path = path_of(name) + "[" + std::to_string(i) + "]";
      std::string text;
      if (!read_item((*given)[i], path, text)) continue;
      if (std::find(value.begin(), value.end(), text) != value.end())
        state_.add(path, "is listed twice");
      value.push_back(std::move(text));
    }
  }
  void refuse_unknown() {
    if (object_ == nullptr) return;
    for (const auto& [name, value] : object_->items()) {
      if (state_.is_full()) return;  // Suggestions cost time.
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      std::string message = "is no field" + config::did_you_mean(name, known_);
      if (message.find('?') == std::string::npos && known_.size() <= kListedNamesMax) {
        message += "; there are ";
        for (std::size_t i = 0; i < known_.size(); ++i) message += (i > 0 ? ", " : "") + known_[i];
      }
      state_.add(path_of(shown(name)), message);
    }
  }

  State& state_;
  const Json* const object_;
  const std::string path_;
  const std::size_t unreadable_before_;
  std::vector<std::string> known_;
  std::vector<Rule> rules_;
};

void read_metadata(const Json& object, Pipeline& pipeline, State& state) {
  for (const auto& [name, expected] :
       {std::pair("apiVersion", kApiVersion), std::pair("kind", kKind)})
    if (const std::string given = kube::string_at(object, name); given != expected)
      state.add_unreadable(name, std::string("must be ") + expected);
  pipeline.name = kube::string_at(object, "metadata/name");
  pipeline.name_space = kube::string_at(object, "metadata/namespace");
  pipeline.uid = kube::string_at(object, "metadata/uid");
  pipeline.generation = kube::int_at(object, "metadata/generation");
  pipeline.deleting = kube::find(object, "metadata/deletionTimestamp") != nullptr;
  if (const Json* annotations = kube::find(object, "metadata/annotations");
      annotations != nullptr && annotations->is_object()) {
    for (const auto& [key, value] : annotations->items())
      if (value.is_string()) pipeline.annotations[key] = value.get<std::string>();
  }
}

}  // namespace

Pipeline read(const Json& object, config::Problems& problems) {
  Pipeline pipeline;
  State state(problems);
  if (!object.is_object()) {
    state.add_unreadable("", "must be a mapping with apiVersion, kind, metadata and spec");
    return pipeline;
  }
  read_metadata(object, pipeline, state);
  if (const Json* spec = kube::find(object, "spec");
      spec != nullptr && kube::to_text(*spec).size() > kSpecBytesMax) {
    state.add_unreadable("spec", "must be at most 512 KiB of JSON");
    return pipeline;
  }
  Reader reader(state, &object, "");
  for (const char* name : {"apiVersion", "kind", "metadata", "status"}) reader.allow(name);
  describe(reader, pipeline);
  reader.finish();
  return pipeline;
}

}  // namespace spanway::api
