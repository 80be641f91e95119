// One declaration of a part of the Pipeline feeds everything: reading, defaults, checks, the schema
// of the custom resource, the editors' schema and CRD.md.
//
//   void describe(Fields& f, CpuAutoscaling& c) {
//     f.field("minReplicas", c.min_replicas, {.doc = "The least.", .min = 1, .max = 1000});
//     f.field("maxReplicas", c.max_replicas, {.doc = "The most.", .min = 1, .required = true});
//     f.rule(c, {.field = "minReplicas", .cel = "self.minReplicas <= self.maxReplicas",
//                .message = "must not be above maxReplicas"},
//            [](const CpuAutoscaling& a) { return a.min_replicas <= a.max_replicas; });
//   }
//
// Names are lowerCamelCase. Defaults are the members' initialisers. Everything has a bound, because
// the API server estimates from the bounds what a rule may cost. A visitor is used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "operator/api/pipeline.h"
#include "services/lib/base/clock.h"

namespace spanway::api {

// Properties of a field besides its type.
struct FieldInfo {
  const char* doc = "";
  const char* example = "";
  // Must match the whole text (or each item, or each value of a map). In the common part of RE2 and
  // ECMAScript: no assertions, no back-references.
  const char* pattern = "";
  // Bounds, inclusive; of durations in milliseconds.
  std::int64_t min = 0;
  std::int64_t max = 1'000'000'000;
  // Length of a text, of each item of a list and of each value of a map: code points for the API
  // server, bytes here, which is never more generous.
  std::size_t length_min = 1;
  std::size_t length_max = 253;
  // Size of lists and maps.
  std::size_t items_min = 0;
  std::size_t items_max = 32;
  bool required = false;
  // For texts with a default: immutable once the Pipeline exists.
  bool immutable = false;
  // The meaning of an unset field. Set = it has no default, although the member has a value
  // (0) that means "unset".
  const char* absent = "";
  // For raw values: the Kubernetes type of the value, or of each item (kubernetes_types.h); empty =
  // anything.
  const char* kubernetes_type = "";
};

// The names of an enum's values, in order of their numbers from 0.
using EnumNames = std::vector<std::string_view>;

// A rule across fields, as the API server evaluates it and as people read it.
struct RuleInfo {
  // The field at fault, relative to the object of the rule ("http.port"); empty = the object.
  const char* field = "";
  const char* cel = "";  // Empty = checked by the operator only.
  const char* message = "";
};

// JSON of Kubernetes' own types, kept as it is.
enum class RawShape { kObject, kListOfObjects };

class Fields {
 public:
  virtual ~Fields() = default;

  virtual void field(std::string_view name, bool& value, const FieldInfo& info) = 0;
  virtual void field(std::string_view name, std::int64_t& value, const FieldInfo& info) = 0;
  virtual void field(std::string_view name, std::string& value, const FieldInfo& info) = 0;
  // Written as 500ms, 30s, 5m, 24h.
  virtual void field(std::string_view name, Duration& value, const FieldInfo& info) = 0;
  // A set: no item twice.
  virtual void field(std::string_view name, std::vector<std::string>& value,
                     const FieldInfo& info) = 0;
  // Keys are those of labels and annotations: an optional domain, a slash and a name.
  virtual void field(std::string_view name, std::map<std::string, std::string>& value,
                     const FieldInfo& info) = 0;
  // A whole number with a unit or without: 500, 10M, 64Mi. Kept as text.
  virtual void quantity(std::string_view name, std::string& value, const FieldInfo& info) = 0;
  virtual void word(std::string_view name, int& value, const EnumNames& names,
                    const FieldInfo& info) = 0;
  // A set of words.
  virtual void words(std::string_view name, std::vector<std::string>& value, const EnumNames& names,
                     const FieldInfo& info) = 0;
  virtual void raw(std::string_view name, Json& value, RawShape shape, const FieldInfo& info) = 0;

  using Describe = std::function<void(Fields&)>;
  // An object that always exists: its defaults are used when it is missing.
  virtual void group(std::string_view name, const FieldInfo& info, const Describe& describe) = 0;
  // An optional object. `emplace` creates it before `describe` is called.
  virtual void optional_impl(std::string_view name, const FieldInfo& info, bool present,
                             const std::function<void()>& emplace, const Describe& describe) = 0;
  // Objects that differ in `key`. `resize` sets how many there are; writers of schemas and
  // documents call it and `describe_item` with one.
  struct List {
    std::string_view key;
    std::size_t size = 0;
    std::function<void(std::size_t)> resize;
    std::function<void(Fields&, std::size_t)> describe_item;
    std::function<std::string(std::size_t)> key_of;
  };
  virtual void list_impl(std::string_view name, const FieldInfo& info, const List& list) = 0;
  virtual void rule_impl(const RuleInfo& info, const std::function<bool()>& holds) = 0;
  // `self` is the object that the rule is about; `holds` gets the same object as it was.
  virtual void transition_impl(const RuleInfo& info, const void* self,
                               const std::function<bool(const void*)>& holds) = 0;

  template <typename E>
  requires std::is_enum_v<E>
  void field(std::string_view name, E& value, const EnumNames& names, const FieldInfo& info) {
    int number = static_cast<int>(value);
    word(name, number, names, info);
    value = static_cast<E>(number);
  }
  // The objects' describe(Fields&, T&) is found next to T.
  template <typename T>
  void object(std::string_view name, T& value, const FieldInfo& info) {
    group(name, info, [&value](Fields& inner) { describe(inner, value); });
  }
  template <typename T>
  void optional(std::string_view name, std::optional<T>& value, const FieldInfo& info) {
    optional_impl(
        name, info, value.has_value(), [&value] { value.emplace(); },
        [&value](Fields& inner) { describe(inner, *value); });
  }
  template <typename T>
  void list(std::string_view name, std::vector<T>& values, const FieldInfo& info) {
    list_impl(
        name, info,
        {.key = "name",
         .size = values.size(),
         .resize = [&values](std::size_t size) { values.resize(size); },
         .describe_item = [&values](Fields& item, std::size_t i) { describe(item, values[i]); },
         .key_of = [&values](std::size_t i) { return values[i].name; }});
  }
  // The CEL text and the C++ predicate of a rule say the same. Rules follow the fields.
  template <typename T>
  void rule(const T& value, const RuleInfo& info, std::type_identity_t<bool(const T&)>* holds) {
    rule_impl(info, [&value, holds] { return holds(value); });
  }
  // Between the object as it was (`oldSelf`) and as it is to be.
  template <typename T>
  void transition(const T& value, const RuleInfo& info,
                  std::type_identity_t<bool(const T& before, const T& after)>* holds) {
    transition_impl(info, &value, [&value, holds](const void* before) {
      return holds(*static_cast<const T*>(before), value);
    });
  }
};

// The patterns behind durations and quantities; the same for reader and schemas.
inline constexpr char kDurationPattern[] = "[1-9][0-9]{0,5}(ms|s|m|h)";
inline constexpr std::size_t kDurationLengthMax = 8;
inline constexpr char kQuantityPattern[] = "[1-9][0-9]{0,9}(k|M|G|Ki|Mi|Gi)?";
inline constexpr std::size_t kQuantityLengthMax = 12;
inline constexpr char kQuantityMessage[] = "must be a number such as 500, 10M or 64Mi";
inline constexpr char kImmutableMessage[] = "cannot be changed: data waits under the old name";
// Size of one raw value as JSON text.
inline constexpr std::size_t kRawBytesMax = 64u << 10;

// "must be from 1s to 24h": for durations the same words from the API server and from us.
std::string duration_bounds_message(const FieldInfo& info);

// The declaration itself: `metadata` as far as there are rules about it, and `spec`.
void describe(Fields& f, Pipeline& pipeline);
void describe(Fields& f, PipelineSpec& spec);

}  // namespace spanway::api
