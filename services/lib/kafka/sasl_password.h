// The SASL password of a client, reloaded from its file (password_file, or password: ${file:path})
// when that changes. Private to services/lib/kafka.
#pragma once

#include <string>

#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"

struct rd_kafka_s;

namespace spanway::kafka::native {

// The configured value, or the current content of the file without white space at its ends.
Result<std::string> read_password(const SaslConfig& sasl);

// On one thread.
class SaslPassword {
 public:
  explicit SaslPassword(const SaslConfig& sasl) : sasl_(sasl) {}
  // Sets a password that has changed since the last call on `handle` (the first call may set the
  // one again that `handle` was created with). True when it has changed. The next connection uses
  // it; librdkafka reconnects by itself.
  Result<bool> refresh(rd_kafka_s* handle);

 private:
  const SaslConfig sasl_;
  std::string last_;
};

}  // namespace spanway::kafka::native
