// Names of what a span has: attributes by scope, and intrinsics.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/query/traceql/value.h"

namespace spanway::query::traceql {

enum class AttributeScope : unsigned char {
  kNone,  // The span's, else that of its resource, an event, a link or its instrumentation.
  kResource,
  kSpan,
  kEvent,
  kLink,
  kInstrumentation,
};

enum class Intrinsic : unsigned char {
  kNone,
  kDuration,
  kName,
  kStatus,
  kStatusMessage,
  kKind,
  kChildCount,
  kTraceRootService,
  kTraceRootName,
  kTraceDuration,
  kTraceId,
  kSpanId,
  kParentId,
  kNestedSetLeft,
  kNestedSetRight,
  kNestedSetParent,
  kEventName,
  kEventTimeSinceStart,
  kLinkSpanId,
  kLinkTraceId,
  kInstrumentationName,
  kInstrumentationVersion,
  kParent,  // Known to the grammar only.
};

struct Attribute {
  AttributeScope scope = AttributeScope::kNone;
  Intrinsic intrinsic = Intrinsic::kNone;
  bool is_parent = false;  // The parent span's: known to the grammar only.
  std::string name = {};   // Empty for an intrinsic.

  auto operator<=>(const Attribute&) const = default;
  bool is_intrinsic() const noexcept { return intrinsic != Intrinsic::kNone; }
  // True when a span may have several: one for each of its events or links.
  bool is_repeated() const noexcept;
};

// "duration", "span:duration", "trace:rootName"; both forms of a name are one intrinsic.
std::optional<Intrinsic> find_intrinsic(std::string_view word);
// "resource", "span", ..; kNone for "".
std::optional<AttributeScope> find_scope(std::string_view word);
std::string_view to_string(AttributeScope scope);
// Its name in results.
std::string_view to_string(Intrinsic intrinsic);
// kAttribute when it depends on the span.
Type type_of(const Attribute& attribute);
// As in a query.
std::string to_string(const Attribute& attribute);
// Its key in results: without the scope.
std::string key_of(const Attribute& attribute);

}  // namespace spanway::query::traceql
