// The five map columns that hold attributes by the type of their value.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/block/block.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/otlp/reader.h"

namespace spanway::otlp_blocks {

// As the enumeration of attribute_keys.type.
enum class AttributeType : std::int8_t {
  kText = 0,
  kInteger = 1,
  kReal = 2,
  kBool = 3,
  kOther = 4
};

// Longer strings go to attr_other, so that no search reads prompts and stack traces.
inline constexpr std::size_t kSearchableTextBytesMax = 1024;

// The type under which a value is stored; a long string is kOther.
AttributeType type_of(const otlp::ValueView& value) noexcept;

// Columns attr_str, attr_int, attr_dbl, attr_bool and attr_other of a block that outlives this.
class AttributeMaps {
 public:
  explicit AttributeMaps(block::Block& block);
  // False when the value has broken framing or is nested too deep.
  bool append(const otlp::AttributeView& attribute);
  void close_row();

 private:
  template <typename Values>
  struct Map {
    explicit Map(block::ListColumn& column)
        : list(column),
          keys(static_cast<block::DictionaryColumn&>(column.nested(0))),
          values(static_cast<Values&>(column.nested(1))) {}
    block::ListColumn& list;
    block::DictionaryColumn& keys;
    Values& values;
  };
  Map<block::DictionaryColumn> text_;
  Map<block::FixedColumn> integer_, real_, bool_;
  Map<block::StringColumn> other_;
  std::string json_;
};

}  // namespace spanway::otlp_blocks
