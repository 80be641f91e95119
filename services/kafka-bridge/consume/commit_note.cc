#include "services/kafka-bridge/consume/commit_note.h"

#include <charconv>
#include <limits>
#include <utility>

#include "services/kafka-bridge/consume/batch_plan.h"

namespace spanway::kafka_bridge {
namespace {

constexpr std::string_view kPrefix = "spanway2:";
constexpr std::size_t kTenantsMax = 1000;

// All numbers are distances from the committed offset: short, and checked to lie behind it.
class Reader {
 public:
  Reader(std::string_view text, std::int64_t offset) : text_(text), offset_(offset) {}
  bool skip(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::optional<std::int64_t> offset() {
    const auto distance = number<std::int64_t>();
    if (!distance || *distance < 0) return std::nullopt;
    if (*distance > std::numeric_limits<std::int64_t>::max() - offset_) return std::nullopt;
    return offset_ + *distance;
  }
  template <typename T>
  std::optional<T> number() {
    T value{};
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc()) return std::nullopt;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return value;
  }
  // "<bytes>:<name>", so that a name may hold anything.
  std::optional<std::string> name() {
    const auto size = number<std::size_t>();
    if (!size || !skip(':') || *size > text_.size()) return std::nullopt;
    std::string name(text_.substr(0, *size));
    text_.remove_prefix(*size);
    return name;
  }
  bool done() const { return text_.empty(); }

 private:
  std::string_view text_;
  const std::int64_t offset_;
};

std::optional<CommitNote> from_plan(std::string_view metadata, std::int64_t offset) {
  const auto ends = parse_batch_plan(metadata, offset);
  if (!ends) return std::nullopt;
  CommitNote note;
  note.end = offset;
  for (const std::int64_t end : *ends) {
    note.ranges.push_back({{note.end, end}, std::nullopt});
    note.end = end + 1;
  }
  return note;
}

// "<bytes>:<tenant>#<items>+<first>x<count>..."
std::string encode_batch(const OpenBatch& batch) {
  std::string text = std::to_string(batch.tenant.size()) + ':' + batch.tenant + '#' +
                     std::to_string(batch.item_count);
  for (const ItemRange& items : batch.open) {
    text += '+' + std::to_string(items.first) + 'x' + std::to_string(items.count);
  }
  return text;
}

// "[/<batch>...!<letter>...]"
std::string encode_parts(const OpenRange::Parts& parts, std::int64_t offset) {
  std::string text = "[";
  for (const OpenBatch& batch : parts.batches) text += '/' + encode_batch(batch);
  for (const std::int64_t letter : parts.letters) text += '!' + std::to_string(letter - offset);
  return text + ']';
}

std::optional<OpenBatch> parse_batch(Reader& reader) {
  OpenBatch batch;
  auto tenant = reader.name();
  if (!tenant || !reader.skip('#')) return std::nullopt;
  const auto item_count = reader.number<std::uint64_t>();
  if (!item_count) return std::nullopt;
  batch.tenant = std::move(*tenant);
  batch.item_count = *item_count;
  std::uint64_t previous = 0;
  while (reader.skip('+')) {
    const auto first = reader.number<std::uint64_t>();
    if (!first || !reader.skip('x')) return std::nullopt;
    const auto count = reader.number<std::uint64_t>();
    if (!count || *count == 0 || *first < previous || *first > *item_count ||
        *count > *item_count - *first) {
      return std::nullopt;
    }
    batch.open.push_back({*first, *count});
    previous = batch.open.back().end();
  }
  if (batch.open.empty()) return std::nullopt;
  return batch;
}

std::optional<OpenRange::Parts> parse_parts(Reader& reader, const OffsetRange& range) {
  OpenRange::Parts parts;
  while (reader.skip('/')) {
    auto batch = parse_batch(reader);
    if (!batch || parts.batches.size() == kTenantsMax) return std::nullopt;
    parts.batches.push_back(std::move(*batch));
  }
  while (reader.skip('!')) {
    const auto letter = reader.offset();
    if (!letter || *letter < range.first || *letter > range.last) return std::nullopt;
    if (parts.letters.size() == kTenantsMax) return std::nullopt;
    parts.letters.push_back(*letter);
  }
  if (!reader.skip(']')) return std::nullopt;
  return parts;
}

std::optional<TenantBatch> parse_tenant_batch(Reader& reader, const CommitNote& note) {
  TenantBatch found;
  const auto first = reader.offset();
  if (!first || !reader.skip('-')) return std::nullopt;
  const auto last = reader.offset();
  if (!last || *last < *first || *last >= note.end || !reader.skip('/')) return std::nullopt;
  auto batch = parse_batch(reader);
  if (!batch) return std::nullopt;
  found.offsets = {*first, *last};
  found.batch = std::move(*batch);
  return found;
}

bool parse_ranges(Reader& reader, std::int64_t offset, CommitNote& note) {
  std::int64_t previous = offset;
  while (reader.skip(',')) {
    const auto first = reader.offset();
    if (!first || !reader.skip('-')) return false;
    const auto last = reader.offset();
    if (!last || *first < previous || *last < *first || *last >= note.end) return false;
    if (note.ranges.size() == kNoteRangesMax) return false;
    OpenRange& range = note.ranges.emplace_back();
    range.offsets = {*first, *last};
    previous = *first;
    if (!reader.skip('[')) continue;
    range.parts = parse_parts(reader, range.offsets);
    if (!range.parts) return false;
  }
  return true;
}

}  // namespace

std::string encode_commit_note(const CommitNote& note, std::int64_t offset) {
  if (note.end <= offset && note.ranges.empty() && note.tenants.empty() && note.batches.empty()) {
    return "";
  }
  std::string text(kPrefix);
  text += std::to_string(note.end - offset);
  for (const OpenRange& range : note.ranges) {
    text += ',' + std::to_string(range.offsets.first - offset) + '-' +
            std::to_string(range.offsets.last - offset);
    if (range.parts) text += encode_parts(*range.parts, offset);
  }
  for (const auto& [tenant, from] : note.tenants) {
    text +=
        ';' + std::to_string(tenant.size()) + ':' + tenant + '@' + std::to_string(from - offset);
  }
  for (const TenantBatch& batch : note.batches) {
    text += '&' + std::to_string(batch.offsets.first - offset) + '-' +
            std::to_string(batch.offsets.last - offset) + '/' + encode_batch(batch.batch);
  }
  return text;
}

std::optional<CommitNote> parse_commit_note(std::string_view metadata, std::int64_t offset) {
  if (!metadata.starts_with(kPrefix)) return from_plan(metadata, offset);
  Reader reader(metadata.substr(kPrefix.size()), offset);
  CommitNote note;
  const auto end = reader.offset();
  if (!end) return std::nullopt;
  note.end = *end;
  if (!parse_ranges(reader, offset, note)) return std::nullopt;
  while (reader.skip(';')) {
    auto tenant = reader.name();
    if (!tenant || !reader.skip('@')) return std::nullopt;
    const auto from = reader.offset();
    if (!from || note.tenants.size() == kTenantsMax) return std::nullopt;
    note.tenants[std::move(*tenant)] = *from;
  }
  while (reader.skip('&')) {
    auto batch = parse_tenant_batch(reader, note);
    if (!batch || note.batches.size() == kTenantsMax) return std::nullopt;
    note.batches.push_back(std::move(*batch));
  }
  if (!reader.done()) return std::nullopt;
  return note;
}

}  // namespace spanway::kafka_bridge
