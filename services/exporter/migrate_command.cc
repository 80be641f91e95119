#include "services/exporter/migrate_command.h"

#include <cstdio>

#include "services/lib/http/io_pool.h"
#include "services/lib/runtime/flags.h"
#include "services/lib/runtime/termination.h"
#include "services/lib/sinks/clickhouse/factory.h"

namespace spanway::exporter {
namespace {

int fail(const std::string& message, int code) {
  std::fprintf(stderr, "%s\n", message.c_str());
  runtime::write_termination_message(runtime::kTerminationLog, message);
  return code;
}

runtime::FlagSet flag_set(bool& dry_run) {
  runtime::FlagSet flags(
      "spanway-exporter migrate [--dry-run] [--config FILE]",
      "Creates or updates the tables of a ClickHouse destination. It can be repeated, and several\n"
      "at once do no harm. Tables that exist are compared with the schema and never changed.\n"
      "\n"
      "Exit code: 0 the database has the newest schema; 1 another try may succeed; 2 bad usage or\n"
      "configuration; 3 a setting, a right or a table must be changed first.");
  flags.add("dry-run", dry_run, "print the statements instead of executing them");
  return flags;
}

}  // namespace

std::string migrate_help() {
  bool dry_run = false;
  return flag_set(dry_run).help();
}

int migrate_command(const ExporterConfig& config, const std::vector<std::string>& arguments) {
  bool dry_run = false;
  if (const Status parsed = flag_set(dry_run).parse(arguments); !parsed.ok())
    return fail(parsed.error().message, 2);
  if (config.destination.type != sinks::DestinationType::kClickHouse)
    return fail("destination.type " + std::string(to_string(config.destination.type)) +
                    " has no schema; migrate is for clickhouse: name the exporter's configuration "
                    "with --config",
                2);
  http::IoPool io("migrate", 1);
  const auto report = sinks::migrate(sinks::migrate_options(config.destination.clickhouse, dry_run),
                                     io, system_clock());
  if (!report.ok()) {
    // Another try with the same settings and rights cannot succeed.
    const bool is_hopeless = report.error().refusal == Refusal::kConfiguration;
    const bool is_away = report.error().code == Code::kUnavailable;
    return fail(report.error().message +
                    (is_away ? "; check destination.clickhouse.endpoint and that ClickHouse runs, "
                               "and try again"
                             : ""),
                is_hopeless ? 3 : 1);
  }
  for (const std::string& statement : report->statements) std::printf("%s;\n", statement.c_str());
  if (dry_run) return 0;
  for (const std::string& name : report->applied) std::printf("applied %s\n", name.c_str());
  if (report->applied.empty()) std::printf("the database has the newest schema\n");
  return 0;
}

}  // namespace spanway::exporter
