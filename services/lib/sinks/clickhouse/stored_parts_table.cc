#include "services/lib/sinks/clickhouse/stored_parts_table.h"

#include <chrono>
#include <memory>
#include <utility>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/block/text_view.h"
#include "services/lib/clickhouse/native_writer.h"
#include "services/lib/schema/table.h"

namespace spanway::sinks {
namespace {

constexpr const char* kQuestion =
    "SELECT toString(target) AS target, toUInt64(day) AS day, first, count FROM stored_parts "
    "WHERE tenant = {tenant:String} AND batch = {batch:String}";

Status collect(const block::Block& rows, const std::string& batch, std::vector<StoredPart>& parts) {
  if (rows.rows() == 0) return {};
  const auto number = [&](const char* name) {
    return dynamic_cast<const block::FixedColumn*>(rows.find(name));
  };
  const block::Column* const target = rows.find("target");
  const auto texts = target == nullptr ? std::nullopt : block::TextView::of(*target);
  const auto *day = number("day"), *first = number("first"), *count = number("count");
  if (!texts || day == nullptr || first == nullptr || count == nullptr)
    return unknown_error(Code::kInternal, "stored_parts has other columns than expected");
  for (std::size_t row = 0; row < rows.rows(); ++row)
    parts.push_back({.items = {.batch = batch,
                               .first = first->values<std::uint64_t>()[row],
                               .count = count->values<std::uint64_t>()[row]},
                     .table = std::string(texts->at(row).value_or("")),
                     .day = static_cast<std::int32_t>(day->values<std::uint64_t>()[row])});
  return {};
}

}  // namespace

void read_stored_parts(clickhouse::Client& client, const std::string& tenant,
                       const std::string& batch, Deadline deadline,
                       std::function<void(Result<std::vector<StoredPart>>)> done) {
  clickhouse::Query query{.sql = kQuestion, .parameters = {}, .settings = {}};
  query.parameters.add("tenant", tenant).add("batch", batch);
  const auto parts = std::make_shared<std::vector<StoredPart>>();
  client.select(
      std::move(query), deadline,
      [parts, batch](const block::Block& rows) { return collect(rows, batch, *parts); },
      [parts, done = std::move(done)](Status status) {
        if (!status.ok()) return done(std::move(status).error());
        done(std::move(*parts));
      });
}

clickhouse::Insert stored_parts_insert(const std::string& tenant,
                                       const std::vector<StoredPart>& parts, SystemTime now,
                                       const InsertPolicy& policy) {
  const auto fields = schema::find_table(kStoredPartsTable)->insert_fields();
  SPANWAY_CHECK(fields.ok());
  block::Block rows(*fields);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  for (const StoredPart& part : parts) {
    rows.get<block::DictionaryColumn>("tenant").append(tenant);
    rows.get<block::StringColumn>("batch").append(part.items.batch);
    rows.get<block::FixedColumn>("first").append(part.items.first);
    rows.get<block::FixedColumn>("count").append(part.items.count);
    rows.get<block::DictionaryColumn>("target").append(part.table);
    rows.get<block::FixedColumn>("day").append(static_cast<std::uint16_t>(part.day));
    rows.get<block::FixedColumn>("stored").append(static_cast<std::uint32_t>(seconds.count()));
  }
  clickhouse::Insert insert;
  insert.sql = clickhouse::insert_sql(kStoredPartsTable, rows);
  clickhouse::append_native(rows, insert.body);
  insert.settings = dictionary_settings(policy);
  return insert;
}

}  // namespace spanway::sinks
