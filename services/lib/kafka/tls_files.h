// The PEM files of kafka.tls in errors: by their key and path, where librdkafka names its own
// setting. Private to services/lib/kafka.
#pragma once

#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"

namespace spanway::kafka::native {

// Functions without state: thread-safe. An error is "kafka.tls.ca_file: ..." and a configuration
// error.

// The first file that cannot be read.
Status check_tls_files(const TlsConfig& tls);

// `text` is that of librdkafka, which could not start with the settings that follow from `tls`.
Error start_error(const TlsConfig& tls, std::string_view text);

}  // namespace spanway::kafka::native
