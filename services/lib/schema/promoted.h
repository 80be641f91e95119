// Span attributes that have a column of their own, each with its one type. A value is found by the
// filter of its column; what lies in the maps instead has a token in the text index.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace spanway::schema {

enum class PromotedKind : unsigned char { kText, kInteger };

struct PromotedAttribute {
  std::string_view key;     // As in OTLP: "http.route"
  std::string_view column;  // Column of the table of spans: "http_route"
  PromotedKind kind = PromotedKind::kText;
};

// An attribute of another type than its column, and the second one of a key, go to the maps, like
// one without a column. The table and the column list of spans agree: schema_test compares them.
std::span<const PromotedAttribute> promoted_attributes() noexcept;

// The position in promoted_attributes(), or -1. One hash and one comparison.
int find_promoted(std::string_view key) noexcept;

}  // namespace spanway::schema
