// Which objects of an hour are read: what compaction has written, and what is not in it yet.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/objectstore/object_store.h"

namespace spanway::objectstore {

// An object that compaction has created, and the names of those whose rows it holds.
struct CompactedObject {
  std::string name;  // Behind the hour's folder, as `replaces`.
  std::int64_t min_ms = 0;
  std::int64_t max_ms = 0;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::int64_t created_ms = 0;
  // Never shortened: an input that a replay writes again after its deletion stays ignored.
  std::vector<std::string> replaces;
  bool operator==(const CompactedObject&) const = default;
};

// The content of an hour's "_manifest.json".
struct Manifest {
  std::vector<CompactedObject> objects;
  bool operator==(const Manifest&) const = default;
};

std::string to_json(const Manifest& manifest);
// INVALID_ARGUMENT, data, "malformed_manifest". Unknown members are passed over.
Result<Manifest> parse_manifest(std::string_view json);

struct LiveObject {
  std::string key;
  std::int64_t min_ms = 0;
  std::int64_t max_ms = 0;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  bool operator==(const LiveObject&) const = default;
};

struct HourObjects {
  std::vector<ObjectInfo> listed;  // All objects of the folder.
  Manifest manifest;
  std::string manifest_etag;     // Empty = there is none.
  std::vector<LiveObject> live;  // Each row of the hour is in exactly one of them.
};

// Lists the folder, then reads its manifest. Live are the objects of the manifest, and those listed
// that it does not replace; compacted objects that it does not name are not read. Inputs stay for
// an hour after the manifest replaces them: an answer is valid for that long, whatever happens
// between.
Result<HourObjects> read_hour(ObjectStore& store, const std::string& folder);

// `live` of the same, from a listing of more than one hour: `listed` are its objects of this
// folder. Reads the manifest only where the listing has one.
Result<std::vector<LiveObject>> live_objects(ObjectStore& store, const std::string& folder,
                                             std::vector<ObjectInfo> listed);

}  // namespace spanway::objectstore
