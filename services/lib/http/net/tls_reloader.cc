#include "services/lib/http/tls_reloader.h"

#include <utility>

namespace spanway::http {

TlsReloader::TlsReloader(Reload reload, Report report, Executor& executor, Duration interval)
    : task_(
          [reload_files = std::move(reload), report_change = std::move(report)] {
            const Result<bool> changed = reload_files();
            if (!changed.ok() || *changed) report_change(changed);
          },
          executor, interval, interval) {}

}  // namespace spanway::http
