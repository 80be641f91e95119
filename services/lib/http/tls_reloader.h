// Reads changed TLS files again, so that a renewed certificate needs no restart.
#pragma once

#include <functional>

#include "services/lib/base/clock.h"
#include "services/lib/base/executor.h"
#include "services/lib/base/repeating_task.h"
#include "services/lib/base/result.h"
#include "services/lib/telemetry/logger.h"

namespace spanway::http {

// For the files of clients; listeners have an interval of their own.
inline constexpr Duration kClientTlsReloadInterval = std::chrono::seconds(60);

// Calls `reload` (TlsServerContext::reload(), TlsClientContext::reload()) every `interval` on the
// executor, for as long as it exists, and `report` after each call that found a change (true),
// failed, or is the first to succeed after one that failed (false = without a change). Both block
// on the disk for a moment. Its end and the executor's: see RepeatingTask.
class TlsReloader {
 public:
  using Reload = std::function<Result<bool>()>;
  using Report = std::function<void(const Result<bool>&)>;
  TlsReloader(Reload reload, Report report, Executor& executor, Duration interval);

 private:
  RepeatingTask task_;
};

// Logs what a TlsReloader reports, with the same text for every owner. `site` is the owner's (see
// Logger::limited); `owner` names the listener or the endpoint whose files they are.
void log_tls_reload(const telemetry::Logger& log, const char* site,
                    const telemetry::LogField& owner, const Result<bool>& changed);

}  // namespace spanway::http
