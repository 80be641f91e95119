#include "services/kafka-bridge/replay/letter_joiner.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "services/lib/base/hex.h"

namespace spanway::kafka_bridge {
namespace {

struct Part {
  std::size_t begin = 0, end = 0, total = 0;
};

bool read(std::string_view& text, std::size_t& number, std::string_view behind) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with(behind)) return false;
  text.remove_prefix(behind.size());
  return true;
}

// "0-921599/3145728": first byte, last byte, size.
std::optional<Part> part_of(const kafka::StoredRecord& record) {
  std::string_view text = record.header("spanway-part");
  Part part;
  if (!read(text, part.begin, "-") || !read(text, part.end, "/") || !read(text, part.total, "") ||
      !text.empty() || part.end >= part.total || part.begin > part.end)
    return std::nullopt;
  ++part.end;
  if (part.end - part.begin != record.value.size()) return std::nullopt;
  return part;
}

// As dead_letter_parts.h writes it; it also has to fit into a line of the state.
bool is_id(std::string_view id) {
  return id.size() == 16 && id.find_first_not_of(kHexDigits) == id.npos;
}

bool is_complete(const std::map<std::size_t, std::size_t>& covered, std::size_t total) {
  std::size_t reached = 0;
  for (const auto& [begin, end] : covered) {
    if (begin > reached) return false;
    reached = std::max(reached, end);
  }
  return reached == total;
}

}  // namespace

Result<std::optional<kafka::StoredRecord>> LetterJoiner::add(kafka::StoredRecord record) {
  const std::string id(record.header("spanway-letter"));
  if (!is_id(id)) return invalid_argument("spanway-letter is not 16 hex digits");
  const auto part = part_of(record);
  if (!part)
    return invalid_argument("spanway-part '" + std::string(record.header("spanway-part")) +
                            "' does not describe the part of letter " + id);
  if (part->total > kBytesMax)
    return invalid_argument("letter " + id + " has " + std::to_string(part->total) +
                            " bytes; letters above 64 MiB are not joined");
  const std::string bytes = std::move(record.value);
  auto found = letters_.find(id);
  if (found != letters_.end() && found->second.record.value.size() != part->total)
    return invalid_argument("spanway-part '" + std::string(record.header("spanway-part")) +
                            "' contradicts other parts of letter " + id);
  if (found == letters_.end()) {
    while (letters_.size() >= kLettersMax ||
           (!letters_.empty() && bytes_ + part->total > kBytesMax))
      give_up_oldest();
    bytes_ += part->total;
    record.value.assign(part->total, '\0');
    found = letters_.emplace(id, Letter{std::move(record), {}}).first;
  }
  Letter& letter = found->second;
  letter.record.value.replace(part->begin, bytes.size(), bytes);
  std::size_t& end = letter.covered[part->begin];
  end = std::max(end, part->end);
  if (!is_complete(letter.covered, part->total)) return std::optional<kafka::StoredRecord>();
  std::optional<kafka::StoredRecord> joined(std::move(letter.record));
  bytes_ -= part->total;
  letters_.erase(found);
  return joined;
}

std::vector<OpenLetter> LetterJoiner::open() const {
  std::vector<OpenLetter> open;
  for (const auto& [id, letter] : letters_) open.push_back({id, letter.record.offset});
  std::sort(open.begin(), open.end(),
            [](const OpenLetter& a, const OpenLetter& b) { return a.first < b.first; });
  return open;
}

std::vector<OpenLetter> LetterJoiner::take_open() {
  std::vector<OpenLetter> open = this->open();
  letters_.clear();
  bytes_ = 0;
  return open;
}

void LetterJoiner::give_up_oldest() {
  const auto oldest = std::min_element(
      letters_.begin(), letters_.end(),
      [](const auto& a, const auto& b) { return a.second.record.offset < b.second.record.offset; });
  given_up_.push_back({oldest->first, oldest->second.record.offset});
  bytes_ -= oldest->second.record.value.size();
  letters_.erase(oldest);
}

}  // namespace spanway::kafka_bridge
