#include "services/lib/config/section_loader.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/check.h"
#include "services/lib/base/utf8.h"
#include "services/lib/config/bounds.h"
#include "services/lib/config/scalar.h"
#include "services/lib/config/substitute.h"

namespace spanway::config {
namespace {

// libstdc++'s regex recurses once per character: longer texts could overflow the stack.
constexpr std::size_t kPatternBytesMax = 2048;
constexpr std::size_t kListItemsMax = 1000;
// Known keys are listed in a message up to this number.
constexpr std::size_t kListedKeysMax = 24;
constexpr std::string_view kRedacted = "***";

std::string with_bounds(std::string what, const KeyInfo& info, BoundsUnit unit) {
  const std::string bounds = bounds_text(info, unit);
  if (bounds.empty()) return what;
  // Behind a list of examples a comma is needed.
  return what + (unit == BoundsUnit::kNumber ? " " : ", ") + bounds;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

const char* kind_name(Node::Kind kind) noexcept {
  switch (kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "a single value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a mapping";
  }
  return "";
}

// A key from the file as part of a path: bounded, on one line.
std::string shown_key(const std::string& name) {
  std::string quoted = quote(name);
  return quoted.size() == name.size() + 2 ? name : quoted;
}

}  // namespace

SectionLoader::SectionLoader(LoadState& state, const Node* node, Place place, std::string path,
                             std::string environment_prefix)
    : state_(state),
      node_(node),
      place_(place),
      path_(std::move(path)),
      environment_prefix_(std::move(environment_prefix)) {}

std::string SectionLoader::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

void SectionLoader::report(const Origin& origin, const std::string& message) {
  if (origin.variable.empty()) {
    state_.report({origin.path, message, origin.place.line, origin.place.column});
  } else {
    state_.report({origin.path, origin.variable + " " + message, 0, 0});
  }
}

const Node* SectionLoader::child(std::string_view name) {
  SPANWAY_ASSERT(std::find(known_.begin(), known_.end(), name) == known_.end());
  known_.emplace_back(name);
  if (node_ == nullptr) return nullptr;
  const auto found = node_->entries.find(name);
  if (found == node_->entries.end()) return nullptr;
  state_.places[path_of(name)] = found->second->key_place;
  return found->second.get();
}

SectionLoader::Found SectionLoader::find(std::string_view name, const KeyInfo& info,
                                         bool (*skip)(std::string_view)) {
  Found found;
  found.origin.path = path_of(name);
  found.node = child(name);
  if (found.node != nullptr) found.origin.place = found.node->place;
  const std::string own_name = environment_name(environment_prefix_, name);
  found.variable = state_.environment.find(own_name, info, skip, state_.result.warnings);
  if (found.variable) found.origin.variable = found.variable->name;
  if (!found.variable && found.node == nullptr) report_missing(found, info);
  return found;
}

void SectionLoader::report_missing(const Found& found, const KeyInfo& info) {
  if (!info.required || ignore_missing_) return;
  const std::string example =
      *info.example == '\0' ? "" : std::string(", for example ") + info.example;
  report(Origin{found.origin.path, place_, ""}, "is required" + example);
}

std::optional<SectionLoader::Given> SectionLoader::substituted(const Node& node,
                                                               const Origin& origin,
                                                               bool is_secret) {
  auto result = substitute(node.text, state_.sources);
  if (!result.ok()) {
    report(origin, result.error().message);
    return std::nullopt;
  }
  Given given;
  given.origin = origin;
  given.text = std::move(result->text);
  given.substituted = result->changed;
  given.unresolved = result->unresolved;
  given.paths = std::move(result->paths);
  given.source = std::move(result->source);
  given.quoted = node.quoted && !result->changed;
  given.shown = is_secret      ? "the given value"
                : given.quoted ? "the quoted text " + quote(node.text)
                               : quote(node.text);
  return given;
}

std::optional<SectionLoader::Given> SectionLoader::scalar(const Found& found, const KeyInfo& info,
                                                          bool is_secret) {
  std::optional<Given> given;
  if (found.variable) {
    const std::string& value = found.variable->value;
    given = Given{found.origin, value, is_secret ? "the given value" : quote(value)};
  } else if (found.node == nullptr) {
    return std::nullopt;
  } else if (found.node->kind == Node::Kind::kNull) {
    report(found.origin, "has no value; write one or remove the key");
    return std::nullopt;
  } else if (found.node->kind != Node::Kind::kScalar) {
    report(found.origin, std::string("must be a single value, not ") + kind_name(found.node->kind));
    return std::nullopt;
  } else {
    given = substituted(*found.node, found.origin, is_secret);
  }
  if (given && info.required && given->text.empty()) {
    report(given->origin, "must not be empty");
    return std::nullopt;
  }
  return given;
}

template <typename T, typename Parse>
void SectionLoader::number(std::string_view name, T& value, const KeyInfo& info,
                           const std::string& what, Parse parse, bool may_be_quoted,
                           bool (*skip)(std::string_view)) {
  const auto given = scalar(find(name, info, skip), info, false);
  if (!given || given->unresolved) return;
  std::optional<T> parsed;
  if (may_be_quoted || !given->quoted) parsed = parse(given->text);
  if (!parsed || !within_bounds(bounded_number(*parsed), info)) {
    report(given->origin, "must be " + what + ", not " + given->shown);
    return;
  }
  value = *parsed;
}

void SectionLoader::key(std::string_view name, bool& value, const KeyInfo& info) {
  const auto given = scalar(find(name, info), info, false);
  if (!given || given->unresolved) return;
  const auto parsed = given->quoted ? std::nullopt : parse_bool(given->text);
  if (parsed) {
    value = *parsed;
  } else {
    report(given->origin, "must be true or false, not " + given->shown);
  }
}

void SectionLoader::key(std::string_view name, std::int64_t& value, const KeyInfo& info) {
  number(name, value, info, with_bounds("a whole number", info, BoundsUnit::kNumber), parse_int,
         false);
}

void SectionLoader::key(std::string_view name, double& value, const KeyInfo& info) {
  number(name, value, info, with_bounds("a number", info, BoundsUnit::kNumber), parse_double,
         false);
}

void SectionLoader::key(std::string_view name, Duration& value, const KeyInfo& info) {
  number(name, value, info,
         with_bounds("a duration such as 200ms, 5s, 2m or 1h", info, BoundsUnit::kMilliseconds),
         parse_duration, true);
}

void SectionLoader::key(std::string_view name, ByteSize& value, const KeyInfo& info) {
  number(name, value, info,
         with_bounds("a size such as 900KiB, 64MiB or 1GiB", info, BoundsUnit::kBytes), parse_size,
         true);
}

void SectionLoader::key(std::string_view name, std::uint16_t& value, const KeyInfo& info) {
  KeyInfo bounds = info;
  bounds.min = std::max(info.min, 0.0);
  bounds.max = std::min(info.max, 65535.0);
  const auto parse = [](std::string_view text) -> std::optional<std::uint16_t> {
    const auto port = parse_int(text);
    if (!port || *port < 0 || *port > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(*port);
  };
  number(name, value, bounds, with_bounds("a port", bounds, BoundsUnit::kNumber), parse, false,
         is_service_link);
}

void SectionLoader::enum_key(std::string_view name, int& value, const EnumNames& names,
                             const KeyInfo& info) {
  const Found source = find(name, info);
  const auto given = scalar(source, info, false);
  if (!given && source.node == nullptr && !source.variable)
    check_unused_sections(name, false, value, names);
  if (!given || given->unresolved) return;
  const auto found = std::find(names.begin(), names.end(), given->text);
  if (found != names.end() && !given->text.empty()) {
    value = static_cast<int>(found - names.begin());
    check_unused_sections(name, true, value, names);
    return;
  }
  const std::vector<std::string> known(names.begin(), names.end());
  report(given->origin, "must be one of " + join(known) + ", not " + given->shown +
                            (given->substituted ? "" : did_you_mean(given->text, known)));
}

bool SectionLoader::check_text(const Given& given, const KeyInfo& info, bool is_secret) {
  if (given.unresolved) return true;
  if (!is_secret && !is_valid_utf8(given.text)) {
    report(given.origin, "is not valid UTF-8");
    return false;
  }
  if (*info.pattern == '\0') return true;
  if (given.text.size() > kPatternBytesMax) {
    report(given.origin, "is longer than " + std::to_string(kPatternBytesMax) + " bytes");
    return false;
  }
  if (std::regex_match(given.text, state_.compiled(info.pattern))) return true;
  const std::string example =
      *info.example == '\0' ? "" : std::string(" (for example ") + info.example + ")";
  report(given.origin,
         std::string("must match ") + info.pattern + ", not " + given.shown + example);
  return false;
}

void SectionLoader::key(std::string_view name, std::string& value, const KeyInfo& info) {
  auto given = scalar(find(name, info), info, false);
  if (!given || !check_text(*given, info, false)) return;
  warn_if_read_once(*given, false);
  value = std::move(given->text);
}

void SectionLoader::key(std::string_view name, Secret& value, const KeyInfo& info) {
  const Found found = find(name, info);
  auto given = scalar(found, info, true);
  if (!given || !check_text(*given, info, true)) return;
  if (given->text == kRedacted) {
    report(given->origin, "is how secrets are printed, not a secret");
    return;
  }
  if (!found.variable && !given->substituted && !given->text.empty())
    state_.warn(given->origin.path +
                " is written out in the file; ${file:path} or ${env:NAME} would keep it out");
  warn_if_read_once(*given, info.reread);
  value = Secret(std::move(given->text), std::move(given->source));
}

std::string SectionLoader::source_of(const Given& given) {
  warn_if_read_once(given, true);
  if (given.unresolved) return given.text;
  return given.source.empty() ? escape_dollars(given.text) : given.source;
}

void SectionLoader::warn_if_read_once(const Given& given, bool reread) {
  if (given.paths.empty() || given.unresolved || (reread && !given.source.empty())) return;
  state_.warn(given.origin.path + " is read from " + quote(given.paths.front()) +
              " once, at the start: restart the process after a change");
}

std::vector<SectionLoader::Given> SectionLoader::split_given(const Given& given) const {
  std::vector<Given> items;
  if (given.unresolved) return {given};
  for (std::string& part : split_list(given.text)) {
    Given item = given;
    if (!given.substituted) item.shown = quote(part);
    item.text = std::move(part);
    item.source.clear();  // It is that of all items.
    if (!items.empty()) item.paths.clear();
    items.push_back(std::move(item));
  }
  return items;
}

std::optional<std::vector<SectionLoader::Given>> SectionLoader::list_items(const Found& found) {
  if (found.variable)
    return split_given(Given{found.origin, found.variable->value, quote(found.variable->value)});
  if (found.node == nullptr) return std::nullopt;
  if (found.node->kind == Node::Kind::kScalar) {
    // brokers: ${env:KAFKA_BROKERS}
    auto given = substituted(*found.node, found.origin, false);
    if (!given) return std::nullopt;
    if (given->substituted) return split_given(*given);
  }
  if (found.node->kind != Node::Kind::kList) {
    report(found.origin,
           std::string("must be a list such as [a, b], not ") + kind_name(found.node->kind));
    return std::nullopt;
  }
  std::vector<Given> items;
  bool good = true;
  for (const auto& node : found.node->items) {
    const Origin origin{found.origin.path + "[" + std::to_string(items.size()) + "]", node->place,
                        ""};
    std::optional<Given> item;
    if (node->kind == Node::Kind::kScalar) {
      item = substituted(*node, origin, false);
    } else {
      report(origin, std::string("must be a single value, not ") + kind_name(node->kind));
    }
    good = good && item.has_value();
    items.push_back(item ? std::move(*item) : Given{});
  }
  if (!good) return std::nullopt;
  return items;
}

void SectionLoader::key(std::string_view name, std::vector<std::string>& value,
                        const KeyInfo& info) {
  const Found found = find(name, info);
  auto items = list_items(found);
  if (!items) return;
  if (info.required && items->empty()) {
    report(found.origin, "must not be empty");
    return;
  }
  std::vector<std::string> texts;
  bool good = true;
  for (Given& item : *items) {
    if (info.secret) item.shown = "the given value";
    good = check_text(item, info, false) && good;
    texts.push_back(std::move(item.text));
  }
  if (good) value = std::move(texts);
}

std::optional<std::map<std::string, SectionLoader::Given>> SectionLoader::map_items(
    const Found& found) {
  std::map<std::string, Given> items;
  const auto add_pairs = [&](const Given& text) {
    if (text.unresolved) return true;
    for (Given& part : split_given(text)) {
      const std::size_t equals = part.text.find('=');
      if (equals == std::string::npos || equals == 0) {
        report(found.origin, "must be a map written as k=v,k2=v2");
        return false;
      }
      const std::string name = part.text.substr(0, equals);
      part.text.erase(0, equals + 1);
      if (!items.emplace(name, std::move(part)).second) {
        report(found.origin, "has the key " + quote(name) + " twice");
        return false;
      }
    }
    return true;
  };
  if (found.variable) {
    if (!add_pairs(Given{found.origin, found.variable->value, "the given value"}))
      return std::nullopt;
    return items;
  }
  if (found.node == nullptr) return std::nullopt;
  if (found.node->kind == Node::Kind::kScalar) {
    const auto given = substituted(*found.node, found.origin, true);
    if (!given) return std::nullopt;
    if (given->substituted) {
      if (!add_pairs(*given)) return std::nullopt;
      return items;
    }
  }
  if (found.node->kind != Node::Kind::kMap) {
    report(found.origin,
           std::string("must be a map such as {k: v}, not ") + kind_name(found.node->kind));
    return std::nullopt;
  }
  bool good = true;
  for (const auto& [name, node] : found.node->entries) {
    state_.places[found.origin.path + "." + name] = node->key_place;
    const Origin origin{found.origin.path + "." + shown_key(name), node->place, ""};
    std::optional<Given> item;
    if (node->kind == Node::Kind::kScalar) {
      item = substituted(*node, origin, false);
    } else {
      report(origin, std::string("must be a single value, not ") + kind_name(node->kind));
    }
    good = good && item.has_value();
    if (item) items.emplace(name, std::move(*item));
  }
  if (!good) return std::nullopt;
  return items;
}

void SectionLoader::key(std::string_view name, std::map<std::string, std::string>& value,
                        const KeyInfo& info) {
  const Found found = find(name, info);
  auto items = map_items(found);
  if (!items) return;
  if (info.required && items->empty()) {
    report(found.origin, "must not be empty");
    return;
  }
  std::map<std::string, std::string> texts;
  bool good = true;
  for (auto& [item_name, item] : *items) {
    if (info.secret) item.shown = "the given value";
    good = check_text(item, info, false) && good;
    texts.emplace(item_name, info.secret && info.reread ? source_of(item) : std::move(item.text));
  }
  if (good) value = std::move(texts);
}

// The node of a section or list; null when it is missing or has been reported.
const Node* SectionLoader::section_node(std::string_view name, Node::Kind kind, const char* what) {
  const Node* node = child(name);
  // `kafka:` with everything below commented out.
  if (node == nullptr || node->kind == Node::Kind::kNull || node->kind == kind) return node;
  report(Origin{path_of(name), node->place, ""},
         std::string("must be ") + what + ", not " + kind_name(node->kind));
  return nullptr;
}

void SectionLoader::section_impl(std::string_view name, const char*,
                                 const std::function<void(Binder&)>& describe_section) {
  const std::size_t problems_before = state_.problem_count;
  const Node* node = section_node(name, Node::Kind::kMap, "a section of keys");
  const Place place = node != nullptr ? node->key_place : place_;
  const Node* keys = node != nullptr && node->kind == Node::Kind::kMap ? node : nullptr;
  SectionLoader section(state_, keys, place, path_of(name),
                        environment_name(environment_prefix_, name));
  if (ignore_missing_ || state_.problem_count != problems_before) section.ignore_missing();
  describe_section(section);
  section.finish();
}

std::size_t SectionLoader::configured_list_size(const Node* node, std::string_view name,
                                                std::size_t size) {
  const std::string prefix = environment_name(environment_prefix_, name);
  if (node != nullptr) size = node->items.size();
  if (size > kListItemsMax) {
    report(Origin{path_of(name), node == nullptr ? place_ : node->place, ""},
           "has more than " + std::to_string(kListItemsMax) + " items");
    return kListItemsMax;
  }
  return std::max(size, state_.environment.list_size(prefix));
}

void SectionLoader::list_impl(std::string_view name, const char*, std::size_t size,
                              const std::function<void(std::size_t)>& resize,
                              const std::function<void(Binder&, std::size_t)>& describe_item) {
  const Node* node = section_node(name, Node::Kind::kList, "a list of sections");
  const bool in_file = node != nullptr && node->kind == Node::Kind::kList;
  // A list in the file replaces the default one; nothing of the old items may shine through.
  if (in_file) resize(0);
  const std::size_t count = configured_list_size(in_file ? node : nullptr, name, size);
  resize(count);
  const std::string prefix = environment_name(environment_prefix_, name);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = path_of(name) + "[" + std::to_string(i) + "]";
    const Node* item = in_file && i < node->items.size() ? node->items[i].get() : nullptr;
    const Place place = item != nullptr ? item->place : node != nullptr ? node->key_place : place_;
    if (item != nullptr) state_.places[path] = place;
    const bool broken = item != nullptr && item->kind != Node::Kind::kMap;
    if (broken)
      report(Origin{path, place, ""},
             std::string("must be a section of keys, not ") + kind_name(item->kind));
    SectionLoader section(state_, broken ? nullptr : item, place, path,
                          environment_name(prefix, std::to_string(i)));
    if (broken) section.ignore_missing();
    describe_item(section, i);
    section.finish();
  }
}

void SectionLoader::finish() {
  if (node_ == nullptr) return;
  for (const auto& [name, node] : node_->entries) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    if (state_.full()) return;
    std::string message = "unknown key" + did_you_mean(name, known_);
    if (nearest(name, known_).empty() && !known_.empty() && known_.size() <= kListedKeysMax)
      message += "; known here: " + join(known_);
    report(Origin{path_of(shown_key(name)), node->key_place, ""}, message);
  }
}

}  // namespace spanway::config
