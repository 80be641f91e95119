#include "services/lib/otlp_blocks/attribute_reader.h"

#include "services/lib/block/text_view.h"
#include "services/lib/schema/promoted.h"

namespace spanway::otlp_blocks {
namespace {

using block::FixedColumn;
using otlp::ValueKind;

constexpr const char* kMaps[] = {"attr_str", "attr_int", "attr_dbl", "attr_bool", "attr_other"};

bool read_value(const block::Column& column, std::size_t row, ValueReader& values, int map,
                otlp::ValueView& out) {
  const auto& fixed = static_cast<const FixedColumn&>(column);
  switch (map) {
    case 0:
      out.kind = ValueKind::kString;
      out.text = text_at(&column, row);
      return true;
    case 1:
      out.kind = ValueKind::kInt;
      out.integer = fixed.values<std::int64_t>()[row];
      return true;
    case 2:
      out.kind = ValueKind::kDouble;
      out.number = fixed.values<double>()[row];
      return true;
    case 3:
      out.kind = ValueKind::kBool;
      out.boolean = fixed.values<std::uint8_t>()[row] != 0;
      return true;
    default:
      return values.read(text_at(&column, row), out);
  }
}

}  // namespace

std::string_view text_at(const block::Column* column, std::size_t row) {
  if (column == nullptr) return {};
  const auto view = block::TextView::of(*column);
  return view ? view->at(row).value_or("") : std::string_view();
}

AttributeReader::AttributeReader(const block::Block& block) {
  for (const schema::PromotedAttribute& attribute : schema::promoted_attributes())
    if (const block::Column* column = block.find(attribute.column))
      promoted_.push_back({attribute.key, column});
  for (int i = 0; i < 5; ++i)
    maps_[i] = dynamic_cast<const block::ListColumn*>(block.find(kMaps[i]));
}

bool AttributeReader::read(std::size_t row, ValueReader& values,
                           std::vector<otlp::AttributeView>& out) const {
  for (const Promoted& promoted : promoted_) {
    otlp::AttributeView attribute{.key = promoted.key, .value = {}};
    if (const auto texts = block::TextView::of(*promoted.column)) {
      const auto text = texts->at(row);
      if (!text) continue;
      attribute.value.kind = ValueKind::kString;
      attribute.value.text = *text;
    } else {
      const auto& nullable = static_cast<const block::NullableColumn&>(*promoted.column);
      if (nullable.is_null(row)) continue;
      attribute.value.kind = ValueKind::kInt;
      attribute.value.integer =
          static_cast<const FixedColumn&>(nullable.nested()).values<std::int64_t>()[row];
    }
    out.push_back(attribute);
  }
  for (int map = 0; map < 5; ++map) {
    if (maps_[map] == nullptr) continue;
    for (std::size_t i = maps_[map]->begin_of(row); i < maps_[map]->end_of(row); ++i) {
      otlp::AttributeView& attribute = out.emplace_back();
      attribute.key = text_at(&maps_[map]->nested(0), i);
      if (!read_value(maps_[map]->nested(1), i, values, map, attribute.value)) return false;
    }
  }
  return true;
}

}  // namespace spanway::otlp_blocks
