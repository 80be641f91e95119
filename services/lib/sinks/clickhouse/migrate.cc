#include "services/lib/sinks/clickhouse/migrate.h"

#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "services/lib/block/text_view.h"
#include "services/lib/schema/cluster.h"
#include "services/lib/schema/migrations.h"
#include "services/lib/sinks/clickhouse/schema_check.h"

namespace spanway::sinks {
namespace {

using schema::Migration;

// One run; its calls wait for their answers.
class Run {
 public:
  Run(const MigrateOptions& options, const Clock& clock) : options_(options), clock_(clock) {}

  Status connect(http::IoPool& io) {
    SPANWAY_ASSIGN(const http::Url url, http::Url::parse(options_.client.url));
    std::shared_ptr<http::TlsClientContext> tls;
    if (url.https) {
      auto created = http::TlsClientContext::create(options_.tls);
      if (!created.ok()) return std::move(created).error().with_context("destination.clickhouse");
      tls = std::move(created).value();
    }
    clickhouse::ClientOptions server = options_.client;
    server.database.clear();
    SPANWAY_ASSIGN(server_, clickhouse::Client::create(std::move(server), tls, io, clock_));
    SPANWAY_ASSIGN(database_, clickhouse::Client::create(options_.client, tls, io, clock_));
    return {};
  }

  Result<MigrateReport> migrate() {
    std::string create =
        "CREATE DATABASE IF NOT EXISTS " + clickhouse::quote_identifier(options_.client.database);
    if (!options_.cluster.empty()) create += " ON CLUSTER '" + options_.cluster + "'";
    // Before the first statement: a name that no file can be rendered for must change nothing.
    SPANWAY_TRY(render_all());
    SPANWAY_TRY(execute(*server_, create));
    SPANWAY_ASSIGN(const auto recorded, recorded_checksums());
    for (const Migration& migration : schema::migrations()) SPANWAY_TRY(apply(migration, recorded));
    // A table that was there before keeps its columns, and one that was dropped is not made again.
    if (!options_.dry_run) SPANWAY_TRY(check_tables());
    return std::move(report_);
  }

 private:
  using Checksums = std::map<std::string, std::string>;  // By version.

  Status render_all() const {
    for (const Migration& migration : schema::migrations())
      if (auto statements = schema::render(migration, options_.cluster); !statements.ok())
        return std::move(statements).error();
    return {};
  }

  Status apply(const Migration& migration, const Checksums& recorded) {
    const auto found = recorded.find(std::to_string(migration.version));
    if (found != recorded.end() && found->second == migration.checksum) return {};
    if (found != recorded.end())
      return configuration_error(Code::kFailedPrecondition,
                                 "The database was migrated with another " +
                                     std::string(migration.name) +
                                     " than this version has (checksum " + found->second +
                                     ", ours " + std::string(migration.checksum) +
                                     "); use the version that has migrated it, or another database")
          .with_reason("schema_mismatch");
    SPANWAY_ASSIGN(const auto statements, schema::render(migration, options_.cluster));
    for (const std::string& statement : statements)
      if (Status status = execute(*database_, statement); !status.ok())
        return std::move(status).error().with_context(migration.name);
    SPANWAY_TRY(execute(*database_, "INSERT INTO schema_version (version, checksum) VALUES (" +
                                        std::to_string(migration.version) + ", '" +
                                        std::string(migration.checksum) + "')"));
    report_.applied.emplace_back(migration.name);
    return {};
  }

  Status execute(clickhouse::Client& client, const std::string& sql) {
    if (options_.dry_run) {
      report_.statements.push_back(sql);
      return {};
    }
    std::promise<Status> ended;
    client.execute({.sql = sql, .parameters = {}, .settings = {}}, deadline(),
                   [&ended](Status status) { ended.set_value(std::move(status)); });
    return ended.get_future().get();
  }

  Status check_tables() {
    std::promise<Status> ended;
    check_schema(*database_, SchemaScope::kAll, deadline(),
                 [&ended](Status status) { ended.set_value(std::move(status)); });
    return ended.get_future().get();
  }

  // Nothing recorded where the table, or its database, does not exist.
  Result<Checksums> recorded_checksums() {
    clickhouse::Parameters parameters;
    parameters.add("database", options_.client.database);
    SPANWAY_ASSIGN(const auto tables, pairs(*server_,
                                            "SELECT name, name FROM system.tables WHERE database = "
                                            "{database:String} AND name = 'schema_version'",
                                            std::move(parameters)));
    if (tables.empty()) return Checksums();
    return pairs(*database_, "SELECT toString(version), checksum FROM schema_version", {});
  }

  Result<Checksums> pairs(clickhouse::Client& client, const char* sql,
                          clickhouse::Parameters parameters) {
    Checksums rows;
    std::promise<Status> ended;
    client.select(
        {.sql = sql, .parameters = std::move(parameters), .settings = {}}, deadline(),
        [&rows](const block::Block& block) {
          if (block.rows() == 0 || block.columns() < 2) return ok_status();
          const auto key = block::TextView::of(block.column(0));
          const auto value = block::TextView::of(block.column(1));
          for (std::size_t row = 0; key && value && row < block.rows(); ++row)
            rows[std::string(key->at(row).value_or(""))] = value->at(row).value_or("");
          return ok_status();
        },
        [&ended](Status status) { ended.set_value(std::move(status)); });
    SPANWAY_TRY(ended.get_future().get());
    return rows;
  }

  Deadline deadline() const { return Deadline::after(clock_, options_.statement_timeout); }

  const MigrateOptions& options_;
  const Clock& clock_;
  std::unique_ptr<clickhouse::Client> server_, database_;
  MigrateReport report_;
};

}  // namespace

Result<MigrateReport> migrate(const MigrateOptions& options, http::IoPool& io, const Clock& clock) {
  if (options.client.database.empty())
    return configuration_error(Code::kInvalidArgument, "Set the database to migrate")
        .with_reason("bad_configuration");
  Run run(options, clock);
  SPANWAY_TRY(run.connect(io));
  return run.migrate();
}

}  // namespace spanway::sinks
