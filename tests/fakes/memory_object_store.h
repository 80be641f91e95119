// A bucket in memory that fails, and calls back, when a test says so.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "services/lib/objectstore/object_store.h"

namespace spanway::fakes {

// Single-thread.
class MemoryObjectStore final : public objectstore::ObjectStore {
 public:
  explicit MemoryObjectStore(const Clock& clock) : clock_(clock) {}

  // Called before each operation that changes something; false = the process dies here: this and
  // every later operation of this life fail. `after_change` is the same behind it.
  std::function<bool(const std::string& operation, const std::string& key)> before_change;
  std::function<bool(const std::string& operation, const std::string& key)> after_change;
  void live_again() { is_dead_ = false; }
  // An empty bucket without hooks.
  void clear() {
    objects_.clear();
    before_change = after_change = nullptr;
    is_dead_ = false;
  }

  Result<objectstore::Listing> list(const std::string& prefix, bool by_folder) override {
    if (is_dead_) return dead();
    objectstore::Listing listing;
    std::set<std::string> folders;
    for (const auto& [key, object] : objects_) {
      if (!key.starts_with(prefix)) continue;
      const std::size_t slash = key.find('/', prefix.size());
      if (by_folder && slash != std::string::npos) {
        folders.insert(key.substr(0, slash + 1));
      } else {
        listing.objects.push_back(
            {.key = key, .bytes = object.body.size(), .modified = object.modified});
      }
    }
    listing.prefixes.assign(folders.begin(), folders.end());
    return listing;
  }
  Result<objectstore::Object> get(const std::string& key) override {
    if (is_dead_) return dead();
    const auto found = objects_.find(key);
    if (found == objects_.end()) return missing(key);
    return objectstore::Object{.body = Bytes(found->second.body), .etag = found->second.etag};
  }
  Result<Bytes> read(const std::string& key, objectstore::ByteRange range) override {
    if (is_dead_) return dead();
    const auto found = objects_.find(key);
    if (found == objects_.end()) return missing(key);
    return Bytes(std::string_view(found->second.body).substr(range.offset, range.length));
  }
  Result<std::string> put(objectstore::PutRequest request) override {
    SPANWAY_TRY(begin("put", request.key));
    const auto found = objects_.find(request.key);
    const std::string etag = found == objects_.end() ? "" : found->second.etag;
    const auto& condition = request.condition;
    if ((condition.if_absent && !etag.empty()) ||
        (!condition.if_match.empty() && condition.if_match != etag))
      return configuration_error(Code::kFailedPrecondition, "412")
          .with_reason("s3_precondition_failed");
    const std::string next = "e" + std::to_string(++etags_);
    objects_[request.key] = {std::string(request.body.view()), next, clock_.system_now()};
    SPANWAY_TRY(end("put", request.key));
    return next;
  }
  Status remove(const std::string& key) override {
    SPANWAY_TRY(begin("remove", key));
    objects_.erase(key);
    return end("remove", key);
  }

 private:
  struct Stored {
    std::string body;
    std::string etag;
    SystemTime modified;
  };
  static Error dead() { return unavailable("the process is dead"); }
  static Error missing(const std::string& key) {
    return configuration_error(Code::kNotFound, key).with_reason("s3_no_such_key");
  }
  Status begin(const std::string& operation, const std::string& key) {
    if (is_dead_) return dead();
    is_dead_ = before_change && !before_change(operation, key);
    return is_dead_ ? Status(dead()) : Status();
  }
  Status end(const std::string& operation, const std::string& key) {
    is_dead_ = after_change && !after_change(operation, key);
    return is_dead_ ? Status(dead()) : Status();
  }

  const Clock& clock_;
  std::map<std::string, Stored> objects_;
  std::uint64_t etags_ = 0;
  bool is_dead_ = false;
};

}  // namespace spanway::fakes
