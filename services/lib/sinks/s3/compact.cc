#include "services/lib/sinks/s3/compact.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "services/lib/base/hex.h"
#include "services/lib/base/percent_encoding.h"
#include "services/lib/objectstore/sigv4.h"
#include "services/lib/sinks/s3/row_context.h"
#include "services/lib/sinks/s3/stored_object.h"
#include "services/lib/sinks/s3/stored_part_objects.h"

namespace spanway::sinks {
namespace {

using objectstore::CompactedObject;
using objectstore::HourObjects;
using objectstore::LiveObject;
using objectstore::ObjectInfo;

constexpr std::int64_t kHourMs = 3'600'000;
// Tries of an hour whose manifest another run changes meanwhile.
constexpr int kTries = 3;

bool is_changed_manifest(const Status& status) {
  return !status.ok() && status.error().reason == std::string_view("s3_precondition_failed");
}

// The cause is what the hour holds, and not the store.
bool is_of_the_hour(const Error& error) {
  return error.refusal == Refusal::kData || error.refusal == Refusal::kUnknown;
}

std::int64_t to_ms(SystemTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string result_name(const std::vector<std::string>& inputs) {
  std::string names;
  for (const std::string& input : inputs) names += input + '\n';
  return std::string(objectstore::kCompactedPrefix) +
         to_hex(objectstore::view(objectstore::sha256(names))) +
         std::string(objectstore::kObjectSuffix);
}

// "acme" of ".../tenant=acme/".
std::string tenant_of(const std::string& folder) {
  const std::size_t at = folder.rfind("tenant=") + 7;
  const std::string tenant = folder.substr(at, folder.size() - at - 1);
  return tenant == "_" ? "" : percent_decode(tenant).value_or(tenant);
}

}  // namespace

// Objects that become one.
struct Compactor::Group {
  std::vector<LiveObject> inputs;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};

Result<CompactReport> Compactor::run() {
  report_ = {};
  for (const objectstore::StoredTable table : objectstore::kStoredTables)
    SPANWAY_TRY(compact_table(table));
  return report_;
}

Status Compactor::compact_table(objectstore::StoredTable table) {
  const std::int64_t now = to_ms(clock_.system_now());
  const std::int64_t age =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.age_min).count();
  const std::int64_t newest = (now - age) / kHourMs * kHourMs - kHourMs;
  const std::int64_t oldest = now - (options_.days * 24 + 24) * kHourMs;
  SPANWAY_ASSIGN(const auto tenants,
                 store_.list(objectstore::table_folder(options_.prefix, table), true));
  for (const std::string& tenant : tenants.prefixes) {
    SPANWAY_TRY(delete_old_stored_parts(table, tenant_of(tenant)));
    SPANWAY_ASSIGN(const auto days, store_.list(tenant, true));
    for (const std::string& day : days.prefixes) {
      const auto start = objectstore::hour_of_folder(day + "hour=00/");
      if (!start || *start + 24 * kHourMs <= oldest || *start > newest) continue;
      SPANWAY_ASSIGN(const auto hours, store_.list(day, true));
      for (const std::string& hour : hours.prefixes) {
        const auto begin = objectstore::hour_of_folder(hour);
        if (begin && *begin <= newest) SPANWAY_TRY(compact_hour(table, tenant_of(tenant), hour));
      }
    }
  }
  return {};
}

Status Compactor::delete_old_stored_parts(objectstore::StoredTable table,
                                          const std::string& tenant) {
  const SystemTime oldest = clock_.system_now() - options_.stored_parts_life;
  SPANWAY_ASSIGN(const auto parts,
                 store_.list(stored_parts_folder(options_.prefix, table, tenant), false));
  for (const ObjectInfo& part : parts.objects) {
    if (part.modified >= oldest) continue;
    SPANWAY_TRY(store_.remove(part.key));
    ++report_.stored_parts_deleted;
  }
  return {};
}

Status Compactor::compact_hour(objectstore::StoredTable table, const std::string& tenant,
                               const std::string& folder) {
  ++report_.hours;
  Status status = try_hour(table, tenant, folder);
  for (int i = 1; i < kTries && is_changed_manifest(status); ++i)
    status = try_hour(table, tenant, folder);
  if (status.ok()) return {};
  Error error = std::move(status).error().with_context(folder);
  if (is_of_the_hour(error)) {
    report_.failed.push_back(error.message);
    return {};
  }
  return error;
}

Status Compactor::try_hour(objectstore::StoredTable table, const std::string& tenant,
                           const std::string& folder) {
  SPANWAY_ASSIGN(HourObjects hour, objectstore::read_hour(store_, folder));
  SPANWAY_TRY(delete_old(folder, hour));
  for (const Group& group : plan(hour)) {
    std::span<const LiveObject> rest = group.inputs;
    while (rest.size() > 1) {
      SPANWAY_ASSIGN(const std::size_t joined, write(table, tenant, folder, rest, hour));
      rest = rest.subspan(joined);
    }
  }
  return {};
}

Status Compactor::delete_old(const std::string& folder, const HourObjects& hour) {
  const std::int64_t now = to_ms(clock_.system_now());
  const std::int64_t wait =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.delete_after).count();
  std::set<std::string_view> replaced;
  for (const CompactedObject& object : hour.manifest.objects)
    if (object.created_ms + wait <= now)
      replaced.insert(object.replaces.begin(), object.replaces.end());
  for (const ObjectInfo& object : hour.listed) {
    const std::string_view name = objectstore::name_of_key(object.key);
    if (!replaced.contains(name)) continue;
    SPANWAY_TRY(store_.remove(folder + std::string(name)));
    ++report_.deleted;
  }
  return {};
}

std::vector<Compactor::Group> Compactor::plan(const HourObjects& hour) const {
  std::vector<Group> groups;
  for (const LiveObject& object : hour.live) {
    const bool is_compacted =
        objectstore::name_of_key(object.key).starts_with(objectstore::kCompactedPrefix);
    if (is_compacted || object.bytes >= options_.object_bytes_max ||
        object.rows >= options_.rows_max)
      continue;
    if (groups.empty() || groups.back().rows + object.rows > options_.rows_max ||
        groups.back().bytes + object.bytes > options_.object_bytes_max)
      groups.emplace_back();
    groups.back().rows += object.rows;
    groups.back().bytes += object.bytes;
    groups.back().inputs.push_back(object);
  }
  std::erase_if(groups, [](const Group& group) { return group.inputs.size() < 2; });
  return groups;
}

Result<std::size_t> Compactor::write(objectstore::StoredTable table, const std::string& tenant,
                                     const std::string& folder, std::span<const LiveObject> inputs,
                                     HourObjects& hour) {
  const std::vector<block::Field> fields = object_fields(table);
  block::Block rows(fields);
  CompactedObject result;
  std::size_t taken = 0;
  for (const LiveObject& input : inputs) {
    if (taken > 0 && rows.memory_bytes() >= options_.memory_max) break;
    ++taken;
    SPANWAY_ASSIGN(objectstore::Object object, store_.get(input.key));
    auto file = codec_.open(parquet_file::memory_source(std::move(object.body)));
    if (!file.ok()) {
      report_.skipped.push_back(input.key + ": " + file.error().message);
      continue;
    }
    if (!(*file)->has_only(fields) || (*file)->rows() != input.rows) {
      report_.skipped.push_back(input.key + ": its columns or rows are not those of this version");
      continue;
    }
    for (std::size_t i = 0; i < (*file)->row_groups(); ++i)
      SPANWAY_TRY((*file)->read_into(i, rows));
    const bool is_first = result.replaces.empty();
    result.min_ms = is_first ? input.min_ms : std::min(result.min_ms, input.min_ms);
    result.max_ms = is_first ? input.max_ms : std::max(result.max_ms, input.max_ms);
    result.replaces.emplace_back(objectstore::name_of_key(input.key));
  }
  if (result.replaces.size() < 2) return taken;
  result.name = result_name(result.replaces);
  result.rows = rows.rows();
  parquet_file::WriteOptions options = parquet_options(table);
  add_footer_texts(table, rows, tenant, "compacted", options);
  SPANWAY_ASSIGN(Bytes body, codec_.encode(std::move(rows), options));
  result.bytes = body.size();
  SPANWAY_TRY(store_.put({.key = folder + result.name,
                          .body = std::move(body),
                          .content_type = "application/vnd.apache.parquet"}));
  SPANWAY_TRY(publish(folder, std::move(result), hour));
  ++report_.outputs;
  report_.rows += hour.manifest.objects.back().rows;
  report_.inputs += hour.manifest.objects.back().replaces.size();
  return taken;
}

Status Compactor::publish(const std::string& folder, CompactedObject object, HourObjects& hour) {
  object.created_ms = to_ms(clock_.system_now());
  hour.manifest.objects.push_back(std::move(object));
  auto etag = store_.put(
      {.key = folder + std::string(objectstore::kManifestName),
       .body = Bytes(to_json(hour.manifest)),
       .content_type = "application/json",
       .condition = {.if_absent = hour.manifest_etag.empty(), .if_match = hour.manifest_etag}});
  if (!etag.ok()) return std::move(etag).error();
  hour.manifest_etag = *etag;
  return {};
}

}  // namespace spanway::sinks
