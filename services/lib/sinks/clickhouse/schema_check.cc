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

Status check_columns(const std::vector<schema::ServerColumn>& columns,
                     const std::string& endpoint) {
  const std::vector<std::string> lines = schema::differences(written_tables(), columns);
  if (lines.empty()) return {};
  std::string text = "The tables of " + endpoint + " do not fit: ";
  for (std::size_t i = 0; i < lines.size() && i < kDifferencesMax; ++i)
    text += (i == 0 ? "" : "; ") + lines[i];
  if (lines.size() > kDifferencesMax)
    text += "; and " + std::to_string(lines.size() - kDifferencesMax) + " more";
  return configuration_error(Code::kFailedPrecondition,
                             text + ". Run spanway-exporter migrate, or correct the database")
      .with_reason("schema_mismatch");
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

void check_schema(clickhouse::Client& client, Deadline deadline, std::function<void(Status)> done) {
  const auto columns = std::make_shared<std::vector<schema::ServerColumn>>();
  client.select(
      {.sql = "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()",
       .parameters = {},
       .settings = {}},
      deadline, [columns](const block::Block& block) { return collect(block, *columns); },
      [columns, endpoint = client.endpoint(), done = std::move(done)](Status status) {
        done(status.ok() ? check_columns(*columns, endpoint) : std::move(status));
      });
}

}  // namespace spanway::sinks
