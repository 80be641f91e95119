// The PEM files of kafka.tls: read again while a client runs, and in errors named by their key and
// path, where librdkafka names its own setting. Private to services/lib/kafka.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"

struct rd_kafka_s;

namespace spanway::kafka::native {

// Functions without state: thread-safe. An error is "kafka.tls.ca_file: ..." and a configuration
// error.

// The first file that cannot be read.
Status check_tls_files(const TlsConfig& tls);

// `text` is that of librdkafka, which could not start with the settings that follow from `tls`.
Error start_error(const TlsConfig& tls, std::string_view text);

// The files of a client that runs. On one thread.
class TlsReload {
 public:
  explicit TlsReload(const TlsConfig& tls) : tls_(tls) {}
  // Makes `handle` use files that have changed since the last call (the first call may read again
  // what `handle` was created with). True when they have changed. The next connection uses them;
  // librdkafka reconnects by itself. Files that cannot be used, or not together, are an error;
  // those in use stay, and the next call tries again.
  Result<bool> refresh(rd_kafka_s* handle);

 private:
  const TlsConfig tls_;
  std::optional<std::size_t> last_;  // A hash of the contents.
};

}  // namespace spanway::kafka::native
