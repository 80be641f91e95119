#include "services/lib/sinks/s3/resource_columns.h"

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/block/text_view.h"
#include "services/lib/otlp_blocks/value_json.h"

namespace spanway::sinks {
namespace {

const block::FixedColumn& ids_of(const block::Block& rows) {
  return static_cast<const block::FixedColumn&>(*rows.find("res_id"));
}

class ResourceJson {
 public:
  explicit ResourceJson(const block::Block& resources) : resources_(resources) {}

  std::string attributes(std::size_t row) {
    out_.clear();
    append_map("attr_str", row, [&](const block::Column& values, std::size_t at) {
      out_ += json_quoted(*block::TextView::of(values)->at(at));
    });
    append_map("attr_int", row, [&](const block::Column& values, std::size_t at) {
      out_ += std::to_string(fixed<std::int64_t>(values, at));
    });
    append_map("attr_dbl", row, [&](const block::Column& values, std::size_t at) {
      otlp_blocks::append_json_double(fixed<double>(values, at), out_);
    });
    append_map("attr_bool", row, [&](const block::Column& values, std::size_t at) {
      out_ += fixed<std::uint8_t>(values, at) != 0 ? "true" : "false";
    });
    append_map("attr_other", row, [&](const block::Column& values, std::size_t at) {
      out_ += *block::TextView::of(values)->at(at);  // JSON already.
    });
    return out_.empty() ? out_ : out_ + '}';
  }

 private:
  template <typename T>
  static T fixed(const block::Column& values, std::size_t at) {
    return static_cast<const block::FixedColumn&>(values).values<T>()[at];
  }
  template <typename AppendValue>
  void append_map(std::string_view name, std::size_t row, const AppendValue& append_value) {
    const auto& map = static_cast<const block::ListColumn&>(*resources_.find(name));
    const auto keys = *block::TextView::of(map.nested(0));
    for (std::size_t at = map.begin_of(row); at < map.end_of(row); ++at) {
      out_ += out_.empty() ? '{' : ',';
      otlp_blocks::append_json_key(*keys.at(at), out_);
      append_value(map.nested(1), at);
    }
  }

  const block::Block& resources_;
  std::string out_;
};

struct ResourceTexts {
  std::string attributes;
  std::string schema_url;
};

std::unique_ptr<block::DictionaryColumn> text_column() {
  block::Type type;
  type.kind = block::Kind::kLowCardinality;
  type.inner.emplace_back();  // String
  return std::make_unique<block::DictionaryColumn>(std::move(type));
}

}  // namespace

void add_resource_columns(otlp_blocks::RequestBlocks& blocks) {
  std::unordered_map<std::uint64_t, ResourceTexts> texts;
  for (const otlp_blocks::DictionaryBlock& dictionary : blocks.dictionaries) {
    if (dictionary.table != "resources") continue;
    ResourceJson json(dictionary.rows);
    const auto ids = ids_of(dictionary.rows).values<std::uint64_t>();
    const auto urls = *block::TextView::of(*dictionary.rows.find("schema_url"));
    for (std::size_t row = 0; row < ids.size(); ++row)
      texts[ids[row]] = {.attributes = json.attributes(row),
                         .schema_url = std::string(urls.at(row).value_or(""))};
  }
  for (otlp_blocks::DataBlock& data : blocks.data) {
    auto attributes = text_column(), urls = text_column();
    for (const std::uint64_t id : ids_of(data.rows).values<std::uint64_t>()) {
      const ResourceTexts& resource = texts[id];
      attributes->append(resource.attributes);
      urls->append(resource.schema_url);
    }
    data.rows.add(kResourceAttributesColumn, std::move(attributes));
    data.rows.add(kResourceSchemaColumn, std::move(urls));
  }
}

}  // namespace spanway::sinks
