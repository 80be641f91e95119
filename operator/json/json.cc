#include "operator/json/json.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "operator/json/json_pointer.h"
#include "services/lib/base/hex.h"

namespace spanway::kube {
namespace {

constexpr int kDepthMax = 64;

// Splits "containers/0/name" at its slashes and decodes ~1 and ~0.
std::string_view next_step(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view step = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return step;
}

const Json* step_into(const Json& value, std::string_view step) {
  if (value.is_object()) {
    const auto found = value.find(unescape_step(step));
    return found == value.end() ? nullptr : &*found;
  }
  if (!value.is_array()) return nullptr;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), index);
  if (error != std::errc() || end != step.data() + step.size() || index >= value.size()) {
    return nullptr;
  }
  return &value[index];
}

std::optional<double> quantity_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) return parse_quantity(value.get_ref<const std::string&>());
  return std::nullopt;
}

bool equal_scalars(const Json& live, const Json& intent) {
  if (live == intent) return true;
  const std::optional<double> a = quantity_of(live);
  const std::optional<double> b = quantity_of(intent);
  if (!a || !b) return false;
  return std::abs(*a - *b) <= 1e-9 * std::max(std::abs(*a), std::abs(*b));
}

// The merge keys by which the API server merges such a list; empty for a list without one.
std::vector<std::string> merge_keys(const Json& list) {
  static const std::vector<std::vector<std::string>> kKnown = {{"containerPort", "protocol"},
                                                               {"port", "protocol"},
                                                               {"mountPath"},
                                                               {"name"},
                                                               {"type"},
                                                               {"key"},
                                                               {"topologyKey"},
                                                               {"ip"},
                                                               {"uid"}};
  if (!list.is_array() || list.empty()) return {};
  for (const std::vector<std::string>& keys : kKnown) {
    // The first key decides; the others (protocol) have defaults.
    const bool all = std::all_of(list.begin(), list.end(), [&keys](const Json& item) {
      return item.is_object() && item.contains(keys.front());
    });
    if (all) return keys;
  }
  return {};
}

bool same_item(const Json& a, const Json& b, const std::vector<std::string>& keys) {
  return std::all_of(keys.begin(), keys.end(), [&](const std::string& key) {
    if (!a.contains(key) || !b.contains(key)) return true;  // Defaulted on one side.
    return a[key] == b[key];
  });
}

// Walks `intent`; calls `differ` for each difference and stops when it returns false.
class Comparison {
 public:
  using Differ = std::function<bool(const std::string& path, const Json* live)>;
  explicit Comparison(Differ differ) : differ_(std::move(differ)) {}

  bool run(const Json& live, const Json& intent, const std::string& path) {
    if (intent.is_object()) return objects(live, intent, path);
    if (intent.is_array()) return lists(live, intent, path);
    return equal_scalars(live, intent) || differ_(path, &live);
  }

 private:
  bool objects(const Json& live, const Json& intent, const std::string& path) {
    if (!live.is_object()) return differ_(path, &live);
    for (const auto& [key, desired] : intent.items()) {
      const std::string inner = path.empty() ? key : path + "/" + key;
      const auto found = live.find(key);
      if (found == live.end()) {
        // The API server does not keep what is empty.
        if (desired.is_null() || (desired.is_structured() && desired.empty())) continue;
        if (!differ_(inner, nullptr)) return false;
        continue;
      }
      if (!run(*found, desired, inner)) return false;
    }
    return true;
  }

  bool lists(const Json& live, const Json& intent, const std::string& path) {
    if (!live.is_array()) return differ_(path, &live);
    const std::vector<std::string> keys = merge_keys(intent);
    if (keys.empty()) return plain_lists(live, intent, path);
    for (std::size_t i = 0; i < intent.size(); ++i) {
      const auto found = std::find_if(live.begin(), live.end(), [&](const Json& item) {
        return item.is_object() && same_item(item, intent[i], keys);
      });
      const std::string inner = path + "/" + std::to_string(i);
      if (found == live.end()) {
        if (!differ_(inner, nullptr)) return false;
        continue;
      }
      if (!run(*found, intent[i], inner)) return false;
    }
    return true;
  }

  bool plain_lists(const Json& live, const Json& intent, const std::string& path) {
    if (live.size() != intent.size()) return differ_(path, &live);
    for (std::size_t i = 0; i < intent.size(); ++i) {
      if (!run(live[i], intent[i], path + "/" + std::to_string(i))) return false;
    }
    return true;
  }

  const Differ differ_;
};

}  // namespace

std::optional<double> parse_quantity(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  struct Unit {
    std::string_view name;
    double factor;
  };
  constexpr std::array<Unit, 16> kUnits = {{{"", 1},
                                            {"n", 1e-9},
                                            {"u", 1e-6},
                                            {"m", 1e-3},
                                            {"k", 1e3},
                                            {"M", 1e6},
                                            {"G", 1e9},
                                            {"T", 1e12},
                                            {"P", 1e15},
                                            {"E", 1e18},
                                            {"Ki", 0x1p10},
                                            {"Mi", 0x1p20},
                                            {"Gi", 0x1p30},
                                            {"Ti", 0x1p40},
                                            {"Pi", 0x1p50},
                                            {"Ei", 0x1p60}}};
  const auto* found =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == unit; });
  if (found == kUnits.end()) return std::nullopt;
  return number * found->factor;
}

Result<Json> parse_json(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return invalid_argument("JSON of " + std::to_string(text.size()) + " bytes; at most " +
                            std::to_string(bytes_max) + " are read");
  }
  int deepest = 0;
  const Json::parser_callback_t watch_depth = [&deepest](int depth, Json::parse_event_t, Json&) {
    deepest = std::max(deepest, depth);
    return depth <= kDepthMax;
  };
  try {
    Json value = Json::parse(text, watch_depth);
    if (deepest > kDepthMax) {
      return invalid_argument("JSON is nested deeper than " + std::to_string(kDepthMax) +
                              " levels");
    }
    return value;
  } catch (const Json::parse_error& error) {
    return invalid_argument("not JSON at byte " + std::to_string(error.byte));
  } catch (const Json::exception& error) {
    return invalid_argument(std::string("not JSON: ") + error.what());
  }
}

std::string to_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* find(const Json& value, std::string_view path) {
  const Json* at = &value;
  while (!path.empty() && at != nullptr) at = step_into(*at, next_step(path));
  return at;
}

std::string string_at(const Json& value, std::string_view path, std::string_view fallback) {
  const Json* found = find(value, path);
  if (found == nullptr || !found->is_string()) return std::string(fallback);
  return found->get<std::string>();
}

std::int64_t int_at(const Json& value, std::string_view path, std::int64_t fallback) {
  const Json* found = find(value, path);
  if (found == nullptr || !found->is_number_integer()) return fallback;
  return found->get<std::int64_t>();
}

bool bool_at(const Json& value, std::string_view path, bool fallback) {
  const Json* found = find(value, path);
  if (found == nullptr || !found->is_boolean()) return fallback;
  return found->get<bool>();
}

bool contains(const Json& live, const Json& intent, std::string* difference) {
  return Comparison([difference](const std::string& path, const Json*) {
           if (difference != nullptr) *difference = path;
           return false;
         })
      .run(live, intent, "");
}

std::vector<Difference> differences(const Json& live, const Json& intent) {
  std::vector<Difference> all;
  Comparison([&all](const std::string& path, const Json* value) {
    all.push_back({path, value == nullptr ? Json() : *value});
    return true;
  }).run(live, intent, "");
  return all;
}

Json merge_difference(const Json& before, const Json& after) {
  if (!before.is_object() || !after.is_object()) return after;
  Json patch = Json::object();
  for (const auto& [name, value] : after.items()) {
    const auto old = before.find(name);
    if (old == before.end()) {
      patch[name] = value;
    } else if (*old != value) {
      patch[name] = merge_difference(*old, value);
    }
  }
  for (const auto& [name, value] : before.items())
    if (!after.contains(name)) patch[name] = nullptr;
  return patch;
}

std::uint64_t fingerprint_number(const Json& value) {
  const std::string text = to_text(value);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(number); ++i) number = (number << 8) | digest[i];
  return number;
}

std::string fingerprint(const Json& value) { return to_hex(fingerprint_number(value)); }

}  // namespace spanway::kube
