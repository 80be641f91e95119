#include "services/lib/otlp_blocks/attribute_keys.h"

#include <functional>
#include <utility>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/otlp_blocks/identity.h"
#include "services/lib/otlp_blocks/table_block.h"

namespace spanway::otlp_blocks {
namespace {

constexpr std::size_t kSlotsMin = 256;

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t product = (a ^ b) * 0x9E3779B97F4A7C15ULL;
  return product ^ product >> 32;
}

}  // namespace

AttributeKeys::AttributeKeys(otlp::Signal signal, std::string_view tenant, const KnownRows* known)
    : signal_(signal),
      tenant_(tenant),
      known_(known),
      seen_(kSlotsMin),
      result_{.table = "attribute_keys", .rows = table_block("attribute_keys"), .identities = {}} {}

void AttributeKeys::set_service(std::string_view name) {
  service_ = name;
  service_hash_ = std::hash<std::string_view>()(name);
}

void AttributeKeys::note(std::int32_t day, AttributeScope scope, std::string_view key,
                         AttributeType type) {
  const std::uint64_t context = static_cast<std::uint64_t>(day) << 16 |
                                static_cast<std::uint64_t>(scope) << 8 |
                                static_cast<std::uint64_t>(type);
  const std::uint64_t fingerprint =
      mixed(mixed(std::hash<std::string_view>()(key), context), service_hash_);
  if (is_new(fingerprint == 0 ? 1 : fingerprint)) append(day, scope, key, type);
}

void AttributeKeys::note(std::int32_t day, AttributeScope scope, otlp::Attributes attributes) {
  for (const otlp::AttributeView& attribute : attributes)
    note(day, scope, attribute.key, type_of(attribute.value));
}

bool AttributeKeys::is_new(std::uint64_t fingerprint) {
  std::size_t place = fingerprint & (seen_.size() - 1);
  for (; seen_[place] != 0; place = (place + 1) & (seen_.size() - 1))
    if (seen_[place] == fingerprint) return false;
  if (seen_count_ == kKeysMax) return false;
  seen_[place] = fingerprint;
  if (++seen_count_ * 2 > seen_.size()) {
    std::vector<std::uint64_t> grown(seen_.size() * 2);
    for (const std::uint64_t old : seen_) {
      if (old == 0) continue;
      std::size_t free = old & (grown.size() - 1);
      while (grown[free] != 0) free = (free + 1) & (grown.size() - 1);
      grown[free] = old;
    }
    seen_ = std::move(grown);
  }
  return true;
}

void AttributeKeys::append(std::int32_t day, AttributeScope scope, std::string_view key,
                           AttributeType type) {
  std::string content = "attribute_keys";
  for (const std::string_view part : {std::string_view(tenant_), key, std::string_view(service_)})
    append_part(content, part);
  content += std::to_string(day) + '/' + std::to_string(static_cast<int>(scope)) + '/' +
             std::to_string(static_cast<int>(type)) + '/' + std::to_string(otlp::index_of(signal_));
  const std::uint64_t identity = murmur3(content).low;
  if (known_ != nullptr && known_->contains(identity)) return;
  block::Block& rows = result_.rows;
  rows.get<block::DictionaryColumn>("tenant").append(tenant_);
  rows.get<block::FixedColumn>("day").append(static_cast<std::uint16_t>(day));
  rows.get<block::FixedColumn>("signal").append(static_cast<std::int8_t>(otlp::index_of(signal_)));
  rows.get<block::FixedColumn>("scope").append(scope);
  rows.get<block::DictionaryColumn>("key").append(key);
  rows.get<block::FixedColumn>("type").append(type);
  rows.get<block::DictionaryColumn>("service_name").append(service_);
  result_.identities.push_back(identity);
}

DictionaryBlock AttributeKeys::take() { return std::move(result_); }

}  // namespace spanway::otlp_blocks
