#include "services/lib/sinks/clickhouse/schema_check.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/block/text_view.h"
#include "services/lib/schema/difference.h"
#include "services/lib/schema/table.h"

namespace spanway::sinks {
namespace {

constexpr std::array<std::string_view, 10> kWritten = {
    "resources", "spans",   "logs",       "log_streams", "attribute_keys",
    "series",    "samples", "histograms", "exemplars",   "stored_parts"};
constexpr std::size_t kDifferencesMax = 8;

std::vector<schema::Table> written_tables() {
  std::vector<schema::Table> tables;
  for (const std::string_view name : kWritten) tables.push_back(*schema::find_table(name));
  return tables;
}

// A view of which only the existence counts is a table without columns.
std::vector<schema::Table> all_tables() {
  std::vector<schema::Table> tables(schema::tables().begin(), schema::tables().end());
  for (const schema::Table& table : schema::tables())
    if (!table.filled_by.empty())
      tables.push_back(
          {.name = table.filled_by, .columns = {}, .filled_from = {}, .filled_by = {}});
  return tables;
}

const char* advice(SchemaScope scope) {
  if (scope == SchemaScope::kWritten)
    return ". Run spanway-exporter migrate, or correct the database";
  return ". Tables that exist are not changed: correct them, or set another database; `migrate "
         "--dry-run` with a new one prints every statement";
}

Status check_columns(const std::vector<schema::ServerColumn>& columns, SchemaScope scope,
                     const std::string& endpoint) {
  const std::vector<std::string> lines = schema::differences(
      scope == SchemaScope::kWritten ? written_tables() : all_tables(), columns);
  if (lines.empty()) return {};
  std::string text = "The tables of " + endpoint + " do not fit: ";
  for (std::size_t i = 0; i < lines.size() && i < kDifferencesMax; ++i)
    text += (i == 0 ? "" : "; ") + lines[i];
  if (lines.size() > kDifferencesMax)
    text += "; and " + std::to_string(lines.size() - kDifferencesMax) + " more";
  return configuration_error(Code::kFailedPrecondition, text + advice(scope))
      .with_reason("schema_mismatch");
}

// The database itself may be missing.
Error with_advice(Error error) {
  if (error.code == Code::kNotFound && error.reason == std::string_view("clickhouse_exception"))
    error.message += ". Run spanway-exporter migrate, or correct destination.clickhouse.database";
  return error;
}

Status collect(const block::Block& block, std::vector<schema::ServerColumn>& columns) {
  if (block.rows() == 0) return {};
  std::array<std::optional<block::TextView>, 3> views;
  for (std::size_t i = 0; i < views.size(); ++i)
    if (i < block.columns()) views[i] = block::TextView::of(block.column(i));
  if (!views[0] || !views[1] || !views[2])
    return unknown_error(Code::kInternal, "system.columns has other columns than expected");
  for (std::size_t row = 0; row < block.rows(); ++row)
    columns.push_back({std::string(views[0]->at(row).value_or("")),
                       std::string(views[1]->at(row).value_or("")),
                       std::string(views[2]->at(row).value_or(""))});
  return {};
}

}  // namespace

void check_schema(clickhouse::Client& client, SchemaScope scope, Deadline deadline,
                  std::function<void(Status)> done) {
  const auto columns = std::make_shared<std::vector<schema::ServerColumn>>();
  client.select(
      {.sql = "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()",
       .parameters = {},
       .settings = {}},
      deadline, [columns](const block::Block& block) { return collect(block, *columns); },
      [columns, scope, endpoint = client.endpoint(), done = std::move(done)](Status status) {
        if (status.ok()) return done(check_columns(*columns, scope, endpoint));
        done(with_advice(std::move(status).error()));
      });
}

}  // namespace spanway::sinks
