#include "services/lib/http/tls_reloader.h"

#include <utility>

namespace spanway::http {

TlsReloader::TlsReloader(Reload reload, Report report, Executor& executor, Duration interval)
    : task_(
          [reload_files = std::move(reload), report_change = std::move(report),
           has_failed = false]() mutable {
            const Result<bool> changed = reload_files();
            const bool has_recovered = std::exchange(has_failed, !changed.ok()) && changed.ok();
            if (!changed.ok() || *changed || has_recovered) report_change(changed);
          },
          executor, interval, interval) {}

void log_tls_reload(const telemetry::Logger& log, const char* site,
                    const telemetry::LogField& owner, const Result<bool>& changed) {
  if (!changed.ok()) {
    log.limited(telemetry::LogLevel::kError, site,
                "TLS files cannot be reloaded; the previous ones stay in use",
                {owner, {"error", changed.error().message}});
  } else if (*changed) {
    log.info("TLS files reloaded", {owner});
  }
}

}  // namespace spanway::http
