// The password that a client logs in to the brokers with, read again from its file (password_file,
// or password: ${file:path}) when that changes. Private to services/lib/kafka.
#pragma once

#include <string>

#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"

struct rd_kafka_s;

namespace spanway::kafka::native {

// What is configured, or what the file says now without white space at its ends.
Result<std::string> read_password(const SaslConfig& sasl);

// On one thread.
class SaslPassword {
 public:
  explicit SaslPassword(const SaslConfig& sasl) : sasl_(sasl) {}
  // Gives `handle` a password that has changed since the last call (the first call compares with
  // what was configured when `handle` was made, and may give it once more). True when it did. The
  // next connection uses it; librdkafka goes on trying to connect by itself.
  Result<bool> refresh(rd_kafka_s* handle);

 private:
  const SaslConfig sasl_;
  std::string last_;
};

}  // namespace spanway::kafka::native
