#include "services/query/traceql/attribute.h"

#include <algorithm>
#include <array>

#include "services/query/traceql/lexer.h"

namespace spanway::query::traceql {
namespace {

struct IntrinsicRow {
  Intrinsic intrinsic;
  Type type;
  std::string_view name;    // In results.
  std::string_view scoped;  // The other word of queries; "" without one.
};
constexpr IntrinsicRow kRows[] = {
    {Intrinsic::kNone, Type::kAttribute, "", ""},
    {Intrinsic::kDuration, Type::kDuration, "duration", "span:duration"},
    {Intrinsic::kName, Type::kString, "name", "span:name"},
    {Intrinsic::kStatus, Type::kStatus, "status", "span:status"},
    {Intrinsic::kStatusMessage, Type::kString, "statusMessage", "span:statusMessage"},
    {Intrinsic::kKind, Type::kKind, "kind", "span:kind"},
    {Intrinsic::kChildCount, Type::kInt, "span:childCount", ""},
    {Intrinsic::kTraceRootService, Type::kString, "rootServiceName", "trace:rootService"},
    {Intrinsic::kTraceRootName, Type::kString, "rootName", "trace:rootName"},
    {Intrinsic::kTraceDuration, Type::kDuration, "traceDuration", "trace:duration"},
    {Intrinsic::kTraceId, Type::kString, "trace:id", ""},
    {Intrinsic::kSpanId, Type::kString, "span:id", ""},
    {Intrinsic::kParentId, Type::kString, "span:parentID", ""},
    {Intrinsic::kNestedSetLeft, Type::kInt, "nestedSetLeft", ""},
    {Intrinsic::kNestedSetRight, Type::kInt, "nestedSetRight", ""},
    {Intrinsic::kNestedSetParent, Type::kInt, "nestedSetParent", ""},
    {Intrinsic::kEventName, Type::kString, "event:name", ""},
    {Intrinsic::kEventTimeSinceStart, Type::kDuration, "event:timeSinceStart", ""},
    {Intrinsic::kLinkSpanId, Type::kString, "link:spanID", ""},
    {Intrinsic::kLinkTraceId, Type::kString, "link:traceID", ""},
    {Intrinsic::kInstrumentationName, Type::kAttribute, "instrumentation:name", ""},
    {Intrinsic::kInstrumentationVersion, Type::kAttribute, "instrumentation:version", ""},
    {Intrinsic::kParent, Type::kNil, "parent", ""},
};
static_assert(std::size(kRows) == static_cast<std::size_t>(Intrinsic::kParent) + 1);

constexpr std::string_view kScopes[] = {"", "resource", "span", "event", "link", "instrumentation"};

const IntrinsicRow& row_of(Intrinsic intrinsic) {
  return kRows[static_cast<std::size_t>(intrinsic)];
}

}  // namespace

bool Attribute::is_repeated() const noexcept {
  return scope == AttributeScope::kEvent || scope == AttributeScope::kLink ||
         (intrinsic >= Intrinsic::kEventName && intrinsic <= Intrinsic::kLinkTraceId);
}

std::optional<Intrinsic> find_intrinsic(std::string_view word) {
  if (word.empty()) return std::nullopt;
  for (const IntrinsicRow& row : kRows)
    if (row.name == word || row.scoped == word) return row.intrinsic;
  return std::nullopt;
}

std::optional<AttributeScope> find_scope(std::string_view word) {
  const auto* found = std::find(std::begin(kScopes), std::end(kScopes), word);
  if (found == std::end(kScopes)) return std::nullopt;
  return static_cast<AttributeScope>(found - std::begin(kScopes));
}

std::string_view to_string(AttributeScope scope) {
  return kScopes[static_cast<std::size_t>(scope)];
}
std::string_view to_string(Intrinsic intrinsic) { return row_of(intrinsic).name; }

Type type_of(const Attribute& attribute) { return row_of(attribute.intrinsic).type; }

std::string to_string(const Attribute& attribute) {
  std::string text = attribute.is_parent ? "parent" : "";
  if (attribute.is_intrinsic()) return text + std::string(to_string(attribute.intrinsic));
  if (attribute.scope != AttributeScope::kNone)
    text += (text.empty() ? "" : ".") + std::string(to_string(attribute.scope));
  text += '.';
  const std::string& name = attribute.name;
  if (!name.empty() && name.find('"') == std::string::npos &&
      std::all_of(name.begin(), name.end(), is_attribute_char))
    return text + name;
  text += '"';
  for (const char c : name) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

std::string key_of(const Attribute& attribute) {
  return attribute.is_intrinsic() ? std::string(to_string(attribute.intrinsic)) : attribute.name;
}

}  // namespace spanway::query::traceql
