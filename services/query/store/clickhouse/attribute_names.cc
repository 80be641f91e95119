#include "services/query/store/clickhouse/attribute_names.h"

#include <algorithm>
#include <utility>

#include "services/query/store/clickhouse/clickhouse_reading.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {
namespace {

using clickhouse::Select;

// Numbers of the enumeration of attribute_keys.scope.
constexpr std::int8_t kNumbers[] = {2 /* span */, 0 /* resource */, 1 /* instrumentation */,
                                    3 /* event */, 4 /* link */};

Scope scope_of(std::int8_t number) {
  for (std::size_t i = 0; i < std::size(kNumbers); ++i)
    if (kNumbers[i] == number) return static_cast<Scope>(i);
  return Scope::kSpan;
}

// Keys of the days that the range touches.
void append_days(TimeRange range, Select& select) {
  const TimeRange days = rounded_outwards(clamped(range), kDayNanos);
  select.sql.add(
      "WHERE tenant = {tenant:String} AND signal = 'traces' AND day >= "
      "toDate(toDateTime({t_begin:Int64}, 'UTC')) AND day < toDate(toDateTime({t_end:Int64}, "
      "'UTC'))");
  select.parameters.add("t_begin", seconds_of(days.begin)).add("t_end", seconds_of(days.end));
}

Result<std::vector<AttributeKey>> read_keys(clickhouse::Client& client, Select select,
                                            QueryContext& context) {
  select.parameters.add("tenant", context.tenant);
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  std::vector<AttributeKey> keys;
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      keys.push_back(
          {.scope = scope_of(numbers<std::int8_t>(block, "place")[row]),
           .key = std::string(text_in(block, "key", row)),
           .type = static_cast<AttributeType>(numbers<std::int8_t>(block, "kind")[row])});
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

Result<std::vector<std::string>> read_services(clickhouse::Client& client, TimeRange range,
                                               QueryContext& context) {
  Select select{.sql = {"SELECT DISTINCT service_name FROM red_service_5m"}};
  append_rollup_range(clamped(range), select);
  select.sql.add("ORDER BY service_name");
  select.parameters.add("tenant", context.tenant);
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  std::vector<std::string> names;
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      names.emplace_back(text_in(block, "service_name", row));
  return names;
}

Result<std::vector<Operation>> read_operations(clickhouse::Client& client,
                                               const std::string& service, TimeRange range,
                                               QueryContext& context) {
  Select select{.sql = {"SELECT DISTINCT name, toInt8(kind) AS kind_number FROM red_5m"}};
  append_rollup_range(clamped(range), select);
  select.parameters.add("tenant", context.tenant);
  if (!service.empty()) {
    select.sql.add("AND service_name = {service:String}");
    select.parameters.add("service", service);
  }
  select.sql.add("ORDER BY name, kind_number");
  SPANWAY_ASSIGN(const auto blocks, read_all(client, std::move(select), context));
  std::vector<Operation> operations;
  for (const block::Block& block : blocks)
    for (std::size_t row = 0; row < block.rows(); ++row)
      operations.push_back({.name = std::string(text_in(block, "name", row)),
                            .kind = numbers<std::int8_t>(block, "kind_number")[row]});
  return operations;
}

Result<std::vector<AttributeKey>> read_attribute_keys(clickhouse::Client& client, Scope scope,
                                                      TimeRange range, QueryContext& context) {
  Select select{.sql = {"SELECT DISTINCT toInt8(scope) AS place, key, toInt8(type) AS kind FROM "
                        "attribute_keys"}};
  append_days(range, select);
  if (scope != Scope::kAny) {
    select.sql.add("AND toInt8(scope) = {scope:Int8}");
    select.parameters.add("scope", std::int64_t{kNumbers[static_cast<std::size_t>(scope)]});
  }
  select.sql.add("ORDER BY place, key, kind LIMIT {limit:UInt64}");
  select.parameters.add("limit", static_cast<std::int64_t>(TraceStore::kNamesMax));
  return read_keys(client, std::move(select), context);
}

Result<KeyPlaces> read_key_places(clickhouse::Client& client, const std::set<std::string>& keys,
                                  TimeRange range, QueryContext& context) {
  KeyPlaces places;
  if (keys.empty()) return places;
  Select select{.sql = {"SELECT DISTINCT toInt8(scope) AS place, key, toInt8(type) AS kind FROM "
                        "attribute_keys"}};
  append_days(range, select);
  select.sql.add("AND key IN {keys:Array(String)}");
  const std::vector<std::string> list(keys.begin(), keys.end());
  select.parameters.add_list("keys", list);
  SPANWAY_ASSIGN(const auto found, read_keys(client, std::move(select), context));
  for (const AttributeKey& key : found) places[key.key].emplace(key.scope, key.type);
  return places;
}

}  // namespace spanway::query
