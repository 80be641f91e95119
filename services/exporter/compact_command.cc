#include "services/exporter/compact_command.h"

#include <cinttypes>
#include <cstdio>

#include "services/lib/http/io_pool.h"
#include "services/lib/parquet_file/codec_loader.h"
#include "services/lib/runtime/flags.h"
#include "services/lib/runtime/termination.h"
#include "services/lib/sinks/s3/compact.h"
#include "services/lib/sinks/s3/factory.h"

namespace spanway::exporter {
namespace {

constexpr std::uint64_t kDaysMax = 400;
constexpr std::uint64_t kRedeliveryDays = 30;
constexpr std::uint64_t kRowsMin = 1000, kRowsMax = 10'000'000;
constexpr std::uint64_t kRedeliveryDaysMax = 4000;

int fail(const std::string& message, int code) {
  std::fprintf(stderr, "%s\n", message.c_str());
  runtime::write_termination_message(runtime::kTerminationLog, message);
  return code;
}

struct CompactRequest {
  sinks::CompactOptions options;
  std::uint64_t days = static_cast<std::uint64_t>(options.days);
  std::uint64_t redelivery_days = kRedeliveryDays;
};

runtime::FlagSet flag_set(CompactRequest& request) {
  runtime::FlagSet flags(
      "spanway-exporter compact [--days N] [--redelivery-days N] [--rows N] [--config FILE]",
      "Joins the small objects of past hours of an S3 destination. One run, to be repeated each\n"
      "hour: what a run has replaced is deleted by a later one. It may be ended at any moment.\n"
      "\n"
      "Exit code: 0 done; 1 another try may succeed, or an hour could not be compacted; 2 bad "
      "usage\n"
      "or configuration; 3 a setting or a right must be changed first.");
  flags.add("days", request.days, "days before today whose hours are compacted");
  flags.add("redelivery-days", request.redelivery_days,
            "days in which a refused batch may come again from Kafka: its topics' retention, at "
            "least");
  flags.add("rows", request.options.rows_max,
            "most rows of one object; all are in memory at once, about 1 KiB each");
  return flags;
}

}  // namespace

std::string compact_help() {
  CompactRequest request;
  return flag_set(request).help();
}

int compact_command(const ExporterConfig& config, const std::vector<std::string>& arguments) {
  CompactRequest request;
  sinks::CompactOptions& options = request.options;
  if (const Status parsed = flag_set(request).parse(arguments); !parsed.ok())
    return fail(parsed.error().message, 2);
  if (request.days > kDaysMax) return fail("--days: at most " + std::to_string(kDaysMax), 2);
  if (config.destination.type != sinks::DestinationType::kS3)
    return fail("destination.type " + std::string(to_string(config.destination.type)) +
                    " has no objects; compact is for s3",
                2);
  if (request.redelivery_days < 1 || request.redelivery_days > kRedeliveryDaysMax)
    return fail("--redelivery-days: 1 to " + std::to_string(kRedeliveryDaysMax), 2);
  if (options.rows_max < kRowsMin || options.rows_max > kRowsMax)
    return fail("--rows: " + std::to_string(kRowsMin) + " to " + std::to_string(kRowsMax), 2);
  options.days = static_cast<int>(request.days);
  options.stored_parts_life = std::chrono::days(request.redelivery_days);
  options.prefix = config.destination.s3.prefix;
  const auto codec = parquet_file::load_codec();
  if (!codec.ok()) return fail(codec.error().message, 1);
  http::IoPool io("compact", 1);
  const auto store = sinks::create_s3_store(config.destination.s3, io, system_clock());
  if (!store.ok()) return fail(store.error().message, 1);
  const auto code_of = [](const Error& error) {
    return error.refusal == Refusal::kConfiguration ? 3 : 1;
  };
  const auto report = sinks::Compactor(**store, system_clock(), **codec, std::move(options)).run();
  if (!report.ok()) return fail(report.error().message, code_of(report.error()));
  for (const std::string& skipped : report->skipped)
    std::fprintf(stderr, "skipped %s\n", skipped.c_str());
  std::printf("%" PRIu64 " hours: joined %" PRIu64 " objects with %" PRIu64 " rows to %" PRIu64
              ", deleted %" PRIu64 ", and %" PRIu64 " notes of stored parts\n",
              report->hours, report->inputs, report->rows, report->outputs, report->deleted,
              report->stored_parts_deleted);
  if (report->failed.empty()) return 0;
  for (const std::string& failed : report->failed)
    std::fprintf(stderr, "not compacted: %s\n", failed.c_str());
  return fail(std::to_string(report->failed.size()) +
                  " hours could not be compacted; the first: " + report->failed.front(),
              1);
}

}  // namespace spanway::exporter
