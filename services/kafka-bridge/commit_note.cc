#include "services/kafka-bridge/commit_note.h"

#include <charconv>
#include <limits>
#include <utility>

#include "services/kafka-bridge/cut_plan.h"

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
    std::int64_t distance = -1;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), distance);
    if (error != std::errc() || distance < 0) return std::nullopt;
    if (distance > std::numeric_limits<std::int64_t>::max() - offset_) return std::nullopt;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return offset_ + distance;
  }
  // "<bytes>:<name>", so that a name may hold anything.
  std::optional<std::string> name() {
    std::size_t size = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
    if (error != std::errc()) return std::nullopt;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    if (!skip(':') || size > text_.size()) return std::nullopt;
    std::string name(text_.substr(0, size));
    text_.remove_prefix(size);
    return name;
  }
  bool done() const { return text_.empty(); }

 private:
  std::string_view text_;
  const std::int64_t offset_;
};

std::optional<CommitNote> from_plan(std::string_view metadata, std::int64_t offset) {
  const auto ends = parse_cut_plan(metadata, offset);
  if (!ends) return std::nullopt;
  CommitNote note;
  note.end = offset;
  for (const std::int64_t end : *ends) {
    note.ranges.push_back({note.end, end});
    note.end = end + 1;
  }
  return note;
}

}  // namespace

std::string encode_commit_note(const CommitNote& note, std::int64_t offset) {
  if (note.end <= offset && note.ranges.empty() && note.tenants.empty()) return "";
  std::string text(kPrefix);
  text += std::to_string(note.end - offset);
  for (const OffsetRange& range : note.ranges) {
    text += ',' + std::to_string(range.first - offset) + '-' + std::to_string(range.last - offset);
  }
  for (const auto& [tenant, from] : note.tenants) {
    text +=
        ';' + std::to_string(tenant.size()) + ':' + tenant + '@' + std::to_string(from - offset);
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
  std::int64_t previous = offset - 1;
  while (reader.skip(',')) {
    const auto first = reader.offset();
    if (!first || !reader.skip('-')) return std::nullopt;
    const auto last = reader.offset();
    if (!last || *first <= previous || *last < *first || *last >= note.end) return std::nullopt;
    if (note.ranges.size() == kNoteRangesMax) return std::nullopt;
    note.ranges.push_back({*first, *last});
    previous = *last;
  }
  while (reader.skip(';')) {
    auto tenant = reader.name();
    if (!tenant || !reader.skip('@')) return std::nullopt;
    const auto from = reader.offset();
    if (!from || note.tenants.size() == kTenantsMax) return std::nullopt;
    note.tenants[std::move(*tenant)] = *from;
  }
  if (!reader.done()) return std::nullopt;
  return note;
}

}  // namespace spanway::kafka_bridge
