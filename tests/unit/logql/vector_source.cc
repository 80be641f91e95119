#include "tests/unit/logql/vector_source.h"

#include <algorithm>
#include <utility>

namespace spanway::query::logql {
namespace {

class Stream final : public EntryStream {
 public:
  explicit Stream(std::vector<Entry> entries) : entries_(std::move(entries)) {}
  Result<std::optional<Entry>> next() override {
    if (next_ == entries_.size()) return std::optional<Entry>();
    return std::optional(entries_[next_++]);
  }

 private:
  const std::vector<Entry> entries_;
  std::size_t next_ = 0;
};

}  // namespace

void VectorSource::add(std::int64_t time, const Labels& stream, std::string line, Labels metadata) {
  entries_.push_back(
      {time, std::make_shared<const Labels>(stream), std::move(metadata), std::move(line)});
}

Result<std::unique_ptr<EntryStream>> VectorSource::select(const EntrySelect& query) {
  selects.push_back(query);
  SPANWAY_ASSIGN(const auto matchers, LabelMatchers::create(query.matchers));
  std::vector<Entry> found;
  for (const Entry& entry : entries_)
    if (query.range.contains(entry.time) && matchers.matches(*entry.stream)) found.push_back(entry);
  std::stable_sort(found.begin(), found.end(), [&](const Entry& a, const Entry& b) {
    return query.is_newest_first ? a.time > b.time : a.time < b.time;
  });
  return std::unique_ptr<EntryStream>(std::make_unique<Stream>(std::move(found)));
}

Status VectorSource::hold(std::size_t bytes) {
  held_max = std::max(held_max, bytes);
  if (bytes > hold_max)
    return data_error(Code::kResourceExhausted, "the query takes too much memory")
        .with_reason("memory");
  return {};
}

}  // namespace spanway::query::logql
