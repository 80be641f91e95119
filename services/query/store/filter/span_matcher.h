// Decides whether a span fulfils a condition, over the views of a row.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/labels/regex.h"
#include "services/query/store/span_condition.h"

namespace spanway::query {

// Immutable and thread-safe. Does not keep the condition that it was made of.
class SpanMatcher {
 public:
  // Errors as of check().
  static Result<SpanMatcher> create(const SpanCondition& condition);

  // `resource` may be null: the span then has no resource attributes.
  bool matches(const otlp_blocks::StoredSpan& stored, const otlp::ResourceView* resource) const;

 private:
  struct Node {
    SpanCondition::Kind kind = SpanCondition::Kind::kAll;
    std::vector<Node> children;
    Comparison comparison;
    std::vector<Value> values;   // One of them must be equal, for kEqualText.
    std::optional<Regex> regex;  // For a regex.
  };
  explicit SpanMatcher(Node root) : root_(std::move(root)) {}
  static Result<Node> compile(const SpanCondition& condition);
  static bool holds(const Node& node, const otlp_blocks::StoredSpan& stored,
                    const otlp::ResourceView* resource);
  static bool compares(const Node& node, const otlp_blocks::StoredSpan& stored,
                       const otlp::ResourceView* resource);
  static bool compares_attribute(const Node& node, const otlp_blocks::StoredSpan& stored,
                                 const otlp::ResourceView* resource);
  static bool compares_text(const Node& node, std::string_view text);
  static bool compares_value(const Node& node, const otlp::ValueView& value);

  Node root_;
};

// True when a comparison of the condition reads attributes of that scope, or that field.
bool reads(const SpanCondition& condition, Scope scope);
bool reads(const SpanCondition& condition, Field field);

}  // namespace spanway::query
