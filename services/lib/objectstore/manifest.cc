#include "services/lib/objectstore/manifest.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "services/lib/base/json_writer.h"
#include "services/lib/objectstore/object_key.h"
#include "services/lib/otlp/json_reader.h"

namespace spanway::objectstore {
namespace {

using otlp::JsonReader;
using otlp::JsonString;

constexpr std::size_t kDepthMax = 8;

std::string text_of(const JsonString& string) {
  std::string text(string.raw.size(), '\0');
  text.resize(JsonReader::unescape(string, text.data()));
  return text;
}

bool read_text(JsonReader& json, std::string& out) {
  JsonString string;
  if (!json.read_string(string)) return false;
  out = text_of(string);
  return true;
}

// A manifest never nests deeper than the reader holds by itself.
class NoMoreBrackets final : public otlp::BracketStack {
 public:
  bool push(std::uint64_t) override { return false; }
  std::uint64_t pop() override { return 0; }
};

bool skip_value(JsonReader& json) {
  NoMoreBrackets deep;
  return json.skip_value(deep);
}

template <typename T>
bool read_number(JsonReader& json, T& out) {
  std::string_view digits;
  if (!json.read_number(digits)) return false;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return error == std::errc() && end == digits.data() + digits.size();
}

bool read_texts(JsonReader& json, std::vector<std::string>& out) {
  if (!json.open_array()) return false;
  while (json.next_element())
    if (!read_text(json, out.emplace_back())) return false;
  return json.problem() == nullptr;
}

bool read_object(JsonReader& json, CompactedObject& out) {
  if (!json.open_object()) return false;
  JsonString key;
  while (json.next_member(key)) {
    const bool is_read = key.raw == "name"         ? read_text(json, out.name)
                         : key.raw == "min_ms"     ? read_number(json, out.min_ms)
                         : key.raw == "max_ms"     ? read_number(json, out.max_ms)
                         : key.raw == "rows"       ? read_number(json, out.rows)
                         : key.raw == "bytes"      ? read_number(json, out.bytes)
                         : key.raw == "created_ms" ? read_number(json, out.created_ms)
                         : key.raw == "replaces"   ? read_texts(json, out.replaces)
                                                   : skip_value(json);
    if (!is_read) return false;
  }
  return json.problem() == nullptr && !out.name.empty();
}

bool read_manifest(JsonReader& json, Manifest& out) {
  if (!json.open_object()) return false;
  JsonString key;
  while (json.next_member(key)) {
    if (key.raw != "objects") {
      if (!skip_value(json)) return false;
      continue;
    }
    if (!json.open_array()) return false;
    while (json.next_element())
      if (!read_object(json, out.objects.emplace_back())) return false;
  }
  return json.problem() == nullptr && json.finish();
}

bool is_missing(const Error& error) { return error.reason == std::string_view("s3_no_such_key"); }

std::vector<LiveObject> live_of(const std::string& folder, const HourObjects& hour) {
  std::vector<LiveObject> live;
  std::set<std::string_view> replaced;
  for (const CompactedObject& object : hour.manifest.objects) {
    live.push_back({.key = folder + object.name,
                    .min_ms = object.min_ms,
                    .max_ms = object.max_ms,
                    .rows = object.rows,
                    .bytes = object.bytes});
    replaced.insert(object.replaces.begin(), object.replaces.end());
  }
  for (const ObjectInfo& object : hour.listed) {
    const std::string_view name = name_of_key(object.key);
    const auto parsed = parse_object_name(name);
    if (!parsed || replaced.contains(name)) continue;
    live.push_back({.key = object.key,
                    .min_ms = parsed->min_ms,
                    .max_ms = parsed->max_ms,
                    .rows = parsed->rows,
                    .bytes = object.bytes});
  }
  return live;
}

// Behind the listing: a manifest that is written between the two replaces objects that stay.
Status read_manifest_of(ObjectStore& store, const std::string& folder, HourObjects& hour) {
  const std::string key = folder + std::string(kManifestName);
  auto found = store.get(key);
  if (!found.ok() && is_missing(found.error())) return {};
  if (!found.ok()) return std::move(found).error();
  auto manifest = parse_manifest(found->body.view());
  if (!manifest.ok()) return std::move(manifest).error().with_context(key);
  hour.manifest = std::move(manifest).value();
  hour.manifest_etag = found->etag;
  return {};
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("version", 1).begin_array("objects");
  for (const CompactedObject& object : manifest.objects) {
    json.begin_object()
        .member("name", object.name)
        .member("min_ms", object.min_ms)
        .member("max_ms", object.max_ms)
        .member("rows", object.rows)
        .member("bytes", object.bytes)
        .member("created_ms", object.created_ms)
        .begin_array("replaces");
    for (const std::string& name : object.replaces) json.value(name);
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return text;
}

Result<Manifest> parse_manifest(std::string_view text) {
  JsonReader json(text, kDepthMax);
  Manifest manifest;
  if (!read_manifest(json, manifest))
    return invalid_argument("A manifest is broken at byte " + std::to_string(json.offset()))
        .with_reason("malformed_manifest");
  return manifest;
}

Result<HourObjects> read_hour(ObjectStore& store, const std::string& folder) {
  HourObjects hour;
  SPANWAY_ASSIGN(Listing listing, store.list(folder, /*by_folder=*/false));
  hour.listed = std::move(listing.objects);
  SPANWAY_TRY(read_manifest_of(store, folder, hour));
  hour.live = live_of(folder, hour);
  return hour;
}

Result<std::vector<LiveObject>> live_objects(ObjectStore& store, const std::string& folder,
                                             std::vector<ObjectInfo> listed) {
  HourObjects hour;
  hour.listed = std::move(listed);
  const bool has_manifest = std::any_of(
      hour.listed.begin(), hour.listed.end(),
      [](const ObjectInfo& object) { return name_of_key(object.key) == kManifestName; });
  if (has_manifest) SPANWAY_TRY(read_manifest_of(store, folder, hour));
  return live_of(folder, hour);
}

}  // namespace spanway::objectstore
