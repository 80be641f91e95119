#include "services/lib/objectstore/object_key.h"

#include <charconv>
#include <chrono>
#include <cstdio>

#include "services/lib/base/hex.h"
#include "services/lib/base/percent_encoding.h"
#include "services/lib/objectstore/sigv4.h"

namespace spanway::objectstore {
namespace {

constexpr std::size_t kBatchBytesMax = 200;
constexpr std::string_view kNoTenant = "_";
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

// In the order of StoredTable. Keys of stored objects depend on the folders: never to be changed.
struct TableName {
  std::string_view table;
  std::string_view folder;
};
constexpr std::array<TableName, kStoredTables.size()> kNames = {{
    {"spans", "traces"},
    {"logs", "logs"},
    {"samples", "metrics/samples"},
    {"histograms", "metrics/histograms"},
    {"exemplars", "metrics/exemplars"},
}};

const TableName& name_of(StoredTable table) noexcept {
  return kNames[static_cast<std::size_t>(table)];
}

template <typename T>
bool take_number(std::string_view& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || length == text.size() || text[length] != '-') return false;
  text.remove_prefix(length + 1);
  return true;
}

// The value of "name=value/" in a folder.
std::string_view part_of(std::string_view folder, std::string_view name) {
  const std::size_t at = folder.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = folder.substr(at + name.size());
  return rest.substr(0, rest.find('/'));
}

}  // namespace

std::string_view to_string(StoredTable table) noexcept { return name_of(table).table; }

std::optional<StoredTable> parse_stored_table(std::string_view name) noexcept {
  for (const StoredTable table : kStoredTables)
    if (to_string(table) == name) return table;
  return std::nullopt;
}

std::string table_folder(std::string_view prefix, StoredTable table) {
  std::string folder(prefix);
  if (!folder.empty()) folder += '/';
  return folder + "v1/" + std::string(name_of(table).folder) + '/';
}

// "_" means telemetry without a tenant, so a tenant of that name is written otherwise.
std::string tenant_folder(std::string_view prefix, StoredTable table, std::string_view tenant) {
  std::string name = percent_encode(tenant);
  if (tenant.empty()) name = kNoTenant;
  if (tenant == kNoTenant) name = "%5F";
  return table_folder(prefix, table) + "tenant=" + name + '/';
}

std::string hour_folder(std::string_view prefix, StoredTable table, std::string_view tenant,
                        std::int64_t unix_ms) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{unix_ms / kDayMs}}};
  char text[64];
  std::snprintf(text, sizeof(text), "date=%04d-%02u-%02u/hour=%02d/", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(unix_ms % kDayMs / kHourMs));
  return tenant_folder(prefix, table, tenant) + text;
}

std::string batch_name(std::string_view batch_id) {
  std::string name;
  for (const char c : batch_id) {
    if (c == ':') {
      name += '-';
    } else if (c == '+') {
      name += '.';
    } else {
      name += percent_encode({&c, 1});
    }
  }
  return name.size() <= kBatchBytesMax ? name : to_hex(view(sha256(batch_id)));
}

std::string to_string(const ObjectName& name) {
  return std::to_string(name.min_ms) + '-' + std::to_string(name.max_ms) + '-' +
         std::to_string(name.rows) + '-' + name.batch + std::string(kObjectSuffix);
}

std::optional<ObjectName> parse_object_name(std::string_view text) {
  if (!text.ends_with(kObjectSuffix)) return std::nullopt;
  text.remove_suffix(kObjectSuffix.size());
  ObjectName name;
  if (!take_number(text, name.min_ms) || !take_number(text, name.max_ms) ||
      !take_number(text, name.rows) || text.empty())
    return std::nullopt;
  name.batch = text;
  return name;
}

std::string_view name_of_key(std::string_view key) noexcept {
  return key.substr(key.rfind('/') + 1);  // npos + 1 = 0.
}

std::optional<std::int64_t> hour_of_folder(std::string_view folder) {
  const std::string date(part_of(folder, "/date=")), hour(part_of(folder, "/hour="));
  int year = 0;
  unsigned month = 0, day = 0, hours = 0;
  if (std::sscanf(date.c_str(), "%4d-%2u-%2u", &year, &month, &day) != 3 ||
      std::sscanf(hour.c_str(), "%2u", &hours) != 1)
    return std::nullopt;
  const std::chrono::year_month_day parts{std::chrono::year{year}, std::chrono::month{month},
                                          std::chrono::day{day}};
  if (!parts.ok() || hours > 23) return std::nullopt;
  return std::chrono::sys_days{parts}.time_since_epoch().count() * kDayMs +
         static_cast<std::int64_t>(hours) * kHourMs;
}

}  // namespace spanway::objectstore
