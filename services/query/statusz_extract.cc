#include "services/query/statusz_extract.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "services/lib/otlp/json_reader.h"

namespace spanway::query {
namespace {

using otlp::JsonReader;
using otlp::JsonString;
using Next = JsonReader::Next;

// /statusz nests less deep.
constexpr std::size_t kDepthMax = 12;
// Every client of the APIs may read them: no tenant, and no text of a destination, which may quote
// telemetry.
constexpr auto kShown = std::to_array<std::string_view>({
    "ready",
    "mode",
    "fused",
    "group",
    "kafka.reachable",
    "produce.ok",
    "produce.last_error_reason",
    "destination.name",
    "destination.type",
    "destination.endpoint",
    "destination.answered",
    "destination.reachable",
    "destination.last_error_reason",
    "destination.circuit",
    "next.endpoint",
    "next.answered",
    "next.reachable",
    "next.last_error_reason",
    "store.type",
    "store.reachable",
    "store.last_error_reason",
    "partitions[].topic",
    "partitions[].partition",
    "partitions[].lag_messages",
    "partitions[].lag_seconds",
    "partitions[].in_flight",
    "partitions[].stalled",
    "assignment.ok",
    "lost_records",
    "stalls[].signal",
    "stalls[].scope",
    "stalls[].seconds",
    "items[].signal",
    "items[].read",
    "items[].delivered",
    "items[].rejected",
    "items[].dead_lettered",
    "items[].in_flight",
    "received.spans",
    "received.data_points",
    "received.log_records",
    "memory.limit",
    "memory.rss",
    "memory.gate_closed",
});

// Skips below kDepthMax levels.
class Depths final : public otlp::BracketStack {
 public:
  bool push(std::uint64_t word) override {
    words_.push_back(word);
    return words_.size() <= kDepthMax;
  }
  std::uint64_t pop() override {
    const std::uint64_t word = words_.back();
    words_.pop_back();
    return word;
  }

 private:
  std::vector<std::uint64_t> words_;
};

std::string text_of(const JsonString& text) {
  std::string out(text.raw.size(), '\0');
  out.resize(JsonReader::unescape(text, out.data()));
  return out;
}

bool skip(JsonReader& reader) {
  Depths depths;
  return reader.skip_value(depths);
}

bool is_shown(std::string_view path) {
  return std::find(kShown.begin(), kShown.end(), path) != kShown.end();
}
bool leads_to_shown(std::string_view path) {
  return std::any_of(kShown.begin(), kShown.end(), [&](std::string_view shown) {
    return shown.size() > path.size() && shown.starts_with(path) &&
           (shown[path.size()] == '.' || shown[path.size()] == '[');
  });
}

bool copy_value(JsonReader& reader, const std::string& path, JsonWriter& json);

bool copy_members(JsonReader& reader, const std::string& path, JsonWriter& json) {
  JsonString key;
  while (reader.next_member(key)) {
    const std::string name = text_of(key);
    const std::string member = path.empty() ? name : path + "." + name;
    if (is_shown(member) || leads_to_shown(member)) {
      json.key(name);
      if (!copy_value(reader, member, json)) return false;
    } else if (!skip(reader)) {
      return false;
    }
  }
  return reader.problem() == nullptr;
}

bool copy_object(JsonReader& reader, const std::string& path, JsonWriter& json) {
  if (!reader.open_object()) return false;
  json.begin_object();
  if (!copy_members(reader, path, json)) return false;
  json.end_object();
  return true;
}

bool copy_list(JsonReader& reader, const std::string& path, JsonWriter& json) {
  if (!reader.open_array()) return false;
  json.begin_array();
  while (reader.next_element())
    if (!copy_value(reader, path + "[]", json)) return false;
  json.end_array();
  return reader.problem() == nullptr;
}

bool copy_value(JsonReader& reader, const std::string& path, JsonWriter& json) {
  const Next next = reader.peek();
  // An object where the path ends, or a text where it continues, is none of ours.
  if (next == Next::kObject) return !is_shown(path) && copy_object(reader, path, json);
  if (next == Next::kArray) return !is_shown(path) && copy_list(reader, path, json);
  if (next == Next::kString) {
    JsonString text;
    if (!reader.read_string(text)) return false;
    json.value(text_of(text));
    return true;
  }
  if (next == Next::kNumber) {
    std::string_view number;
    if (!reader.read_number(number)) return false;
    json.raw(number);
    return true;
  }
  json.raw(next == Next::kTrue ? "true" : next == Next::kFalse ? "false" : "null");
  return next != Next::kOther && reader.read_literal();
}

// Every service has it at the top; a process with several has it one level below.
std::optional<bool> has_several(std::string_view statusz) {
  JsonReader reader(statusz, kDepthMax);
  if (reader.peek() != Next::kObject || !reader.open_object()) return std::nullopt;
  JsonString key;
  bool is_one = false;
  while (reader.next_member(key)) {
    is_one = is_one || key.raw == "ready";
    if (!skip(reader)) return std::nullopt;
  }
  if (!reader.finish()) return std::nullopt;
  return !is_one;
}

bool copy_parts(JsonReader& reader, JsonWriter& json) {
  JsonString key;
  while (reader.next_member(key)) {
    if (reader.peek() != Next::kObject) {
      if (!skip(reader)) return false;
      continue;
    }
    if (!reader.open_object()) return false;
    json.begin_object().member("part", text_of(key));
    if (!copy_members(reader, "", json)) return false;
    json.end_object();
  }
  return reader.problem() == nullptr;
}

}  // namespace

std::optional<std::string> statusz_extract(std::string_view statusz) {
  const auto several = has_several(statusz);
  if (!several) return std::nullopt;
  std::string out;
  JsonWriter json(out);
  JsonReader reader(statusz, kDepthMax);
  json.begin_array();
  if (*several) {
    if (!reader.open_object() || !copy_parts(reader, json)) return std::nullopt;
  } else {
    if (!copy_object(reader, "", json)) return std::nullopt;
  }
  json.end_array();
  return out;
}

}  // namespace spanway::query
