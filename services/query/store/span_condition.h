// Conditions of a search: a tree that every store evaluates alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "services/lib/base/result.h"

namespace spanway::query {

// Where an attribute is. kEvent and kLink: on any of the events or links of the span. kAny: in at
// least one of all these places.
enum class Scope : unsigned char { kSpan, kResource, kInstrumentation, kEvent, kLink, kAny };
std::string_view to_string(Scope scope) noexcept;

// A part of a span that is compared. Numbers in brackets are the type of its value.
enum class Field : unsigned char {
  kAttribute,      // The one of `scope` and `key`; as it was sent.
  kService,        // [text] service.name of the resource; empty without.
  kName,           // [text]
  kKind,           // [integer] The number of otlp::SpanKind.
  kStatus,         // [integer] The number of otlp::StatusCode.
  kStatusMessage,  // [text]
  kDuration,       // [integer] In ns.
  kParentSpanId,   // [text] 8 bytes; empty for a root.
  kSpanId,         // [text] 8 bytes.
  kTraceId,        // [text] 16 bytes.
  kScopeName,      // [text]
  kScopeVersion,   // [text]
  kEventName,      // [text] Of any event.
  kLinkTraceId,    // [text] 16 bytes, of any link.
  kLinkSpanId,     // [text] 8 bytes, of any link.
};

struct Subject {
  Field field = Field::kAttribute;
  Scope scope = Scope::kSpan;  // An attribute has it, and `key`.
  std::string key = {};
  bool operator==(const Subject&) const = default;
};

using Value = std::variant<std::string, std::int64_t, double, bool>;

enum class Op : unsigned char {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kRegex,     // The value is a text, the pattern RE2's; it matches the whole text.
  kNotRegex,  // The subject is a text that does not match.
  kExists,    // An attribute of any type; `value` is not read.
  kMissing,   // No such attribute; `value` is not read.
  // The value is a text; equal to it, or to the integer, double or boolean that it denotes: "200"
  // finds "200", 200 and 200.0. For clients that know no types.
  kEqualText,
};

// Holds when the subject exists with the type of the value and compares as requested, so that no
// comparison but kMissing holds for an attribute that is missing. Texts compare by bytes. Integers
// and doubles are two types: to find both, join two conditions by any_of(). Of a subject with
// several values (kEvent, kLink, kAny, kEventName, ...) one must compare so; kMissing: none exists.
// The fields of ids have kEqual and kNotEqual; those of integers no regexes; kExists, kMissing and
// kEqualText are for attributes.
struct Comparison {
  Subject subject = {};
  Op op = Op::kEqual;
  Value value = {};
};

// A node of the tree. A default one holds for every span. Immutable by convention; copies are deep.
struct SpanCondition {
  enum class Kind : unsigned char { kAll, kAny, kComparison };
  Kind kind = Kind::kAll;
  std::vector<SpanCondition> children = {};  // kAll: all of them, kAny: at least one.
  Comparison comparison = {};                // kComparison

  bool is_always() const noexcept { return kind == Kind::kAll && children.empty(); }
};

// Bounds of one tree; check() refuses what is beyond.
inline constexpr std::size_t kComparisonsMax = 32;
inline constexpr std::size_t kConditionDepthMax = 16;

SpanCondition all_of(std::vector<SpanCondition> children);
SpanCondition any_of(std::vector<SpanCondition> children);
SpanCondition compare(Subject subject, Op op, Value value = {});
SpanCondition compare(Field field, Op op, Value value);
// `condition` and `more` together; flattens, so that stores see the conjunction.
SpanCondition both(SpanCondition condition, SpanCondition more);

// Every comparison of the tree; valid as long as the condition is.
std::vector<const Comparison*> comparisons_of(const SpanCondition& condition);

// Values that a text of kEqualText denotes: itself first.
std::vector<Value> denoted_values(const std::string& text);

// INVALID_ARGUMENT, data: too many comparisons or levels ("too_many_conditions"), a pattern that
// RE2 does not know ("bad_regex"), an operator or a value that the field cannot have
// ("bad_condition"). Every store checks it first.
Status check(const SpanCondition& condition);

}  // namespace spanway::query
