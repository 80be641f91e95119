#include "services/lib/block/dictionary_column.h"

#include <algorithm>
#include <functional>

namespace spanway::block {
namespace {

constexpr std::size_t kSlotsMin = 16;

std::uint32_t hash_of(std::string_view text) noexcept {
  const std::size_t hash = std::hash<std::string_view>()(text);
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

}  // namespace

DictionaryColumn::DictionaryColumn(Type type)
    : Column(std::move(type)),
      nullable_(this->type().inner.front().kind == Kind::kNullable),
      slots_(kSlotsMin) {
  dictionary_.append("");
}

void DictionaryColumn::append(std::string_view text) {
  if (last_ != 0 && dictionary_.at(last_) == text) {
    indexes_.push_back(last_);
    return;
  }
  if (text.empty() && !nullable_) return append_default();
  last_ = index_of(text);
  indexes_.push_back(last_);
}

std::uint32_t DictionaryColumn::index_of(std::string_view text) {
  const std::uint32_t hash = hash_of(text);
  std::size_t mask = slots_.size() - 1;
  std::size_t place = hash & mask;
  for (; slots_[place].index != 0; place = (place + 1) & mask)
    if (slots_[place].hash == hash && dictionary_.at(slots_[place].index) == text)
      return slots_[place].index;
  const auto index = static_cast<std::uint32_t>(dictionary_.rows());
  dictionary_.append(text);
  slots_[place] = {hash, index};
  if (dictionary_.rows() * 2 > slots_.size()) grow_slots();
  return index;
}

void DictionaryColumn::grow_slots() {
  std::vector<Slot> grown(slots_.size() * 2);
  const std::size_t mask = grown.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.index == 0) continue;
    std::size_t place = slot.hash & mask;
    while (grown[place].index != 0) place = (place + 1) & mask;
    grown[place] = slot;
  }
  slots_ = std::move(grown);
}

Status DictionaryColumn::assign(std::span<const std::string_view> dictionary,
                                std::vector<std::uint32_t> indexes) {
  clear();
  for (const std::uint32_t index : indexes)
    if (index >= dictionary.size())
      return invalid_argument("A dictionary of " + std::to_string(dictionary.size()) +
                              " texts has no index " + std::to_string(index))
          .with_reason("malformed_block");
  if (dictionary.empty()) return {};
  // Texts keep their index, so that no row needs a lookup; only index 0 may be taken by a text
  // that is not the default.
  const bool shift = !nullable_ && !dictionary.front().empty();
  if (!shift) dictionary_.clear();
  for (const std::string_view text : dictionary) dictionary_.append(text);
  indexes_ = std::move(indexes);
  if (shift)
    for (std::uint32_t& index : indexes_) ++index;
  return {};
}

std::size_t DictionaryColumn::memory_bytes() const noexcept {
  return dictionary_.memory_bytes() + indexes_.capacity() * sizeof(std::uint32_t) +
         slots_.capacity() * sizeof(Slot);
}

void DictionaryColumn::clear() noexcept {
  indexes_.clear();
  dictionary_.clear();
  dictionary_.append("");
  std::fill(slots_.begin(), slots_.end(), Slot{});
  last_ = 0;
}

}  // namespace spanway::block
