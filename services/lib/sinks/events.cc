#include "services/lib/sinks/events.h"

#include <algorithm>
#include <array>

#include "services/lib/http/tls_reloader.h"

namespace spanway::sinks {
namespace {

using telemetry::LogLevel;
using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kHttpBytes = {"spanway_sink_http_sent_bytes_total", MetricKind::kCounter,
                                   "Bytes of request bodies sent, after compression.", "endpoint"};
constexpr MetricSpec kHttpAnswers = {"spanway_sink_http_answers_total", MetricKind::kCounter,
                                     "Answers by class of HTTP status; `none` = no answer came.",
                                     "endpoint,class"};
constexpr MetricSpec kHttpDuration = {"spanway_sink_http_request_duration_seconds",
                                      MetricKind::kHistogram,
                                      "From sending an HTTP request to its answer.", "endpoint"};
constexpr MetricSpec kFileBytes = {"spanway_sink_file_written_bytes_total", MetricKind::kCounter,
                                   "Bytes of JSON lines written.", ""};
constexpr MetricSpec kFileRotations = {"spanway_sink_file_rotations_total", MetricKind::kCounter,
                                       "Files put aside because of their size or age.", ""};
constexpr MetricSpec kFileFailures = {"spanway_sink_file_failures_total", MetricKind::kCounter,
                                      "Batches that could not be written or synced.", ""};
constexpr MetricSpec kFileQueue = {"spanway_sink_file_queue_bytes", MetricKind::kGauge,
                                   "Bytes of JSON lines that wait for the writer.", ""};
constexpr MetricSpec kFileSync = {"spanway_sink_file_sync_duration_seconds", MetricKind::kHistogram,
                                  "Duration of one fdatasync.", ""};

constexpr std::array kSpecs = {kHttpBytes,     kHttpAnswers,  kHttpDuration, kFileBytes,
                               kFileRotations, kFileFailures, kFileQueue,    kFileSync};
constexpr std::array<const char*, 6> kClasses = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

}  // namespace

std::span<const MetricSpec> metric_specs() { return kSpecs; }

HttpEvents::HttpEvents(telemetry::Telemetry telemetry, std::string endpoint)
    : log_(telemetry.log),
      credentials_(telemetry.credentials),
      endpoint_(std::move(endpoint)),
      bytes_(telemetry.metrics.counter(kHttpBytes, {{"endpoint", endpoint_}})),
      duration_(telemetry.metrics.histogram(kHttpDuration, {{"endpoint", endpoint_}})) {
  for (std::size_t i = 0; i < kClasses.size(); ++i)
    classes_[i] =
        telemetry.metrics.counter(kHttpAnswers, {{"endpoint", endpoint_}, {"class", kClasses[i]}});
}

void HttpEvents::sent(std::size_t bytes) const noexcept { bytes_.add(static_cast<double>(bytes)); }

void HttpEvents::answered(int status, double seconds) const noexcept {
  classes_[static_cast<std::size_t>(std::clamp(status / 100, 0, 5))].add();
  duration_.observe(seconds);
}

void HttpEvents::unreadable_answer(const Error& error) const {
  log_.limited(LogLevel::kWarn, "sinks.unreadable_answer",
               "The destination took the batch, but its answer cannot be read",
               {{"endpoint", endpoint_}, {"error", error.message}});
}

void HttpEvents::tls_read(const Result<bool>& read) const {
  credentials_.report("tls", read.ok() ? ok_status() : Status(read.error()));
  http::log_tls_reload(log_, "sinks.tls_reload", {"endpoint", endpoint_}, read);
}

void HttpEvents::secret_read(const std::string& key, const Status& read) const {
  credentials_.report(key, read);
  if (read.ok()) return;
  log_.warn("A file of a secret cannot be used; the secret of before stays in use",
            {{"endpoint", endpoint_}, {"error", read.error().message}});
}

FileEvents::FileEvents(telemetry::Telemetry telemetry)
    : log_(telemetry.log),
      bytes_(telemetry.metrics.counter(kFileBytes)),
      rotations_(telemetry.metrics.counter(kFileRotations)),
      failures_(telemetry.metrics.counter(kFileFailures)),
      queue_(telemetry.metrics.gauge(kFileQueue)),
      sync_(telemetry.metrics.histogram(kFileSync)) {}

void FileEvents::rotated(std::string_view path) const {
  rotations_.add();
  log_.info("Rotated a file", {{"path", path}});
}

void FileEvents::failed(const Error& error) const {
  failures_.add();
  log_.limited(LogLevel::kError, "sinks.file", "A batch cannot be written",
               {{"reason", error.reason}, {"error", error.message}});
}

}  // namespace spanway::sinks
