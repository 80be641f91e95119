#include "services/lib/schema/cluster.h"

#include <algorithm>
#include <array>
#include <utility>

#include "services/lib/schema/sql_reader.h"

namespace spanway::schema {
namespace {

// All rows of a trace, stream or series lie on one shard, and rows that replace each other do, too.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kShardingKeys = {{
    {"schema_version", "version"},
    {"resources", "res_id"},
    {"spans", "cityHash64(trace_id)"},
    {"logs", "stream_id"},
    {"log_streams", "stream_id"},
    {"series", "cityHash64(series_id)"},
    {"samples", "cityHash64(series_id)"},
    {"histograms", "cityHash64(series_id)"},
    {"exemplars", "cityHash64(series_id)"},
    {"edges_5m", "cityHash64(parent, child)"},
    {"findings", "cityHash64(subject)"},
    {"attribute_keys", "cityHash64(key)"},
    {"stored_parts", "cityHash64(batch)"},
    {"insight_windows", "cityHash64(t)"},
}};

constexpr std::string_view kWindow = "non_replicated_deduplication_window = 100000";
constexpr std::string_view kReplicatedWindow =
    "replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 604800";

bool is_cluster_name(std::string_view name) noexcept {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

std::string local(std::string_view table) { return std::string(table) + "_local"; }
std::string on_cluster(std::string_view cluster) {
  return " ON CLUSTER '" + std::string(cluster) + "'";
}

// " ENGINE = XMergeTree(args) ..." as " ENGINE = ReplicatedXMergeTree('/path', '{replica}', args)
// ...".
std::string replicated(std::string_view from_engine) {
  SqlReader reader(from_engine);
  reader.take("ENGINE");
  std::string_view rest = reader.rest();
  SqlReader engine(rest.substr(rest.find('=') + 1));
  std::string out = " ENGINE = Replicated" + std::string(engine.word()) +
                    "('/clickhouse/tables/{shard}/{database}/{table}', '{replica}'";
  if (engine.rest().starts_with('('))
    if (const std::string_view arguments = engine.parenthesised(); !arguments.empty())
      out += ", " + std::string(arguments);
  out += ")" + std::string(engine.rest());
  if (const std::size_t window = out.find(kWindow); window != std::string::npos)
    out.replace(window, kWindow.size(), kReplicatedWindow);
  return out;
}

std::string distributed(std::string_view table, std::string_view cluster) {
  std::string out = "CREATE TABLE IF NOT EXISTS " + std::string(table) + on_cluster(cluster) +
                    " AS " + local(table) + " ENGINE = Distributed('" + std::string(cluster) +
                    "', currentDatabase(), '" + local(table) + "'";
  if (const std::string_view key = sharding_key(table); !key.empty())
    out += ", " + std::string(key);
  return out + ")";
}

void render_table(SqlReader& reader, std::string_view cluster, std::vector<std::string>& out) {
  const std::string_view name = reader.word();
  std::string text = "CREATE TABLE IF NOT EXISTS " + local(name) + on_cluster(cluster) + " ";
  if (reader.take("AS")) {
    text += "AS " + local(reader.word());
  } else {
    text += "(" + std::string(reader.parenthesised()) + ")";
  }
  out.push_back(text + replicated(reader.rest()));
  out.push_back(distributed(name, cluster));
}

void render_view(SqlReader& reader, std::string_view cluster, std::vector<std::string>& out) {
  const std::string_view name = reader.word();
  reader.take("TO");
  std::string text = "CREATE MATERIALIZED VIEW IF NOT EXISTS " + std::string(name) +
                     on_cluster(cluster) + " TO " + local(reader.word());
  const std::string_view select = reader.rest();
  const std::size_t from = select.find("FROM ") + 5;
  SqlReader behind(select.substr(from));
  text += select.substr(0, from);
  text += local(behind.word());
  text += behind.rest();
  out.push_back(std::move(text));
}

}  // namespace

std::string_view sharding_key(std::string_view table) noexcept {
  for (const auto& [name, key] : kShardingKeys)
    if (name == table) return key;
  return {};
}

Result<std::vector<std::string>> render(const Migration& migration, std::string_view cluster) {
  std::vector<std::string> statements = split_statements(migration.sql);
  if (cluster.empty()) return statements;
  if (!is_cluster_name(cluster))
    return configuration_error(
        Code::kInvalidArgument,
        "A cluster's name may hold letters, digits, '_', '-' and '.' only: " +
            std::string(cluster.substr(0, 100)));
  std::vector<std::string> out;
  for (const std::string& statement : statements) {
    SqlReader reader(statement);
    if (reader.take("CREATE TABLE IF NOT EXISTS")) {
      render_table(reader, cluster, out);
    } else if (reader.take("CREATE MATERIALIZED VIEW IF NOT EXISTS")) {
      render_view(reader, cluster, out);
    } else {
      return unknown_error(Code::kInternal, std::string(migration.name) +
                                                " holds a statement that has no cluster form: " +
                                                statement.substr(0, 120));
    }
  }
  return out;
}

}  // namespace spanway::schema
