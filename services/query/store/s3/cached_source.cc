#include "services/query/store/s3/cached_source.h"

#include <utility>

namespace spanway::query {

CachedSource::CachedSource(objectstore::ObjectStore& store, std::string key, std::uint64_t bytes,
                           ByteCache& cache, std::atomic<std::uint64_t>& fetched_bytes)
    : store_(store),
      key_(std::move(key)),
      bytes_(bytes),
      tail_begin_(bytes > kTailBytes ? bytes - kTailBytes : 0),
      cache_(cache),
      fetched_bytes_(fetched_bytes) {}

Result<Bytes> CachedSource::read(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return Bytes();
  if (offset > bytes_ || length > bytes_ - offset)
    return invalid_argument("a range outside of the object").with_reason("malformed_parquet");
  if (offset >= tail_begin_) {
    MutexLock lock(mutex_);
    if (!tail_) {
      SPANWAY_ASSIGN(tail_, cached(tail_begin_, bytes_ - tail_begin_));
    }
    return Bytes(std::string_view(*tail_).substr(offset - tail_begin_, length));
  }
  if (length > kShortReadBytes) return fetch(offset, length);
  SPANWAY_ASSIGN(const auto text, cached(offset, length));
  return Bytes(std::string_view(*text));
}

Result<std::shared_ptr<const std::string>> CachedSource::cached(std::uint64_t offset,
                                                                std::uint64_t length) {
  const std::string place = key_ + '#' + std::to_string(bytes_) + '#' + std::to_string(offset) +
                            '+' + std::to_string(length);
  if (auto found = cache_.find(place)) return found;
  SPANWAY_ASSIGN(const Bytes bytes, fetch(offset, length));
  auto text = std::make_shared<const std::string>(bytes.view());
  cache_.put(place, text);
  return text;
}

Result<Bytes> CachedSource::fetch(std::uint64_t offset, std::uint64_t length) {
  SPANWAY_ASSIGN(Bytes bytes, store_.read(key_, {.offset = offset, .length = length}));
  fetched_bytes_ += bytes.size();
  if (bytes.size() != length)
    return unavailable(key_ + " has changed while it was read; try again")
        .with_reason("object_changed");
  return bytes;
}

}  // namespace spanway::query
