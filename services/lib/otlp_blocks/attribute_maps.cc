#include "services/lib/otlp_blocks/attribute_maps.h"

#include "services/lib/otlp/value_json.h"

namespace spanway::otlp_blocks {

AttributeType type_of(const otlp::ValueView& value) noexcept {
  switch (value.kind) {
    case otlp::ValueKind::kString:
      return value.text.size() <= kSearchableTextBytesMax ? AttributeType::kText
                                                          : AttributeType::kOther;
    case otlp::ValueKind::kInt:
      return AttributeType::kInteger;
    case otlp::ValueKind::kDouble:
      return AttributeType::kReal;
    case otlp::ValueKind::kBool:
      return AttributeType::kBool;
    default:
      return AttributeType::kOther;
  }
}

AttributeMaps::AttributeMaps(block::Block& block)
    : text_(block.get<block::ListColumn>("attr_str")),
      integer_(block.get<block::ListColumn>("attr_int")),
      real_(block.get<block::ListColumn>("attr_dbl")),
      bool_(block.get<block::ListColumn>("attr_bool")),
      other_(block.get<block::ListColumn>("attr_other")) {}

bool AttributeMaps::append(const otlp::AttributeView& attribute) {
  switch (type_of(attribute.value)) {
    case AttributeType::kText:
      text_.keys.append(attribute.key);
      text_.values.append(attribute.value.text);
      return true;
    case AttributeType::kInteger:
      integer_.keys.append(attribute.key);
      integer_.values.append(attribute.value.integer);
      return true;
    case AttributeType::kReal:
      real_.keys.append(attribute.key);
      real_.values.append(attribute.value.number);
      return true;
    case AttributeType::kBool:
      bool_.keys.append(attribute.key);
      bool_.values.append(std::uint8_t{attribute.value.boolean});
      return true;
    case AttributeType::kOther:
      break;
  }
  json_.clear();
  if (!append_typed_json(attribute.value, json_)) return false;
  other_.keys.append(attribute.key);
  other_.values.append(json_);
  return true;
}

void AttributeMaps::close_row() {
  text_.list.close_row();
  integer_.list.close_row();
  real_.list.close_row();
  bool_.list.close_row();
  other_.list.close_row();
}

}  // namespace spanway::otlp_blocks
