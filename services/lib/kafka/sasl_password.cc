#include "services/lib/kafka/sasl_password.h"

#include <librdkafka/rdkafka.h>

#include <string_view>

#include "services/lib/base/ascii.h"
#include "services/lib/base/file.h"
#include "services/lib/config/secret_reloader.h"

namespace spanway::kafka::native {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

Error unusable(const std::string& problem) {
  return configuration_error(Code::kFailedPrecondition, problem)
      .with_reason("kafka_not_authenticated");
}

Error unusable_file(const std::string& path, const char* why) {
  return unusable("kafka.sasl.password_file: the file " + path + " " + why +
                  "; check the path, its content and its permissions");
}

}  // namespace

Result<std::string> read_password(const SaslConfig& sasl) {
  const std::string& path = sasl.password_file;
  if (path.empty() && sasl.password.file().empty()) return sasl.password.reveal();
  if (path.empty()) {
    Result<std::string> text = config::read_again(sasl.password, "kafka.sasl.password");
    if (!text.ok()) return unusable(text.error().message);
    return text;
  }
  const auto text = read_file(path, kFileBytesMax);
  if (!text.ok()) {
    const bool large = std::string_view(text.error().reason) == kFileTooLarge;
    return unusable_file(path, large ? "is larger than 64 KiB" : "cannot be read");
  }
  std::string password(trim(*text, " \t\r\n"));
  if (password.empty()) return unusable_file(path, "is empty");
  return password;
}

Result<bool> SaslPassword::refresh(rd_kafka_t* handle) {
  if (sasl_.password_file.empty() && sasl_.password.file().empty()) return false;
  std::string password;
  SPANWAY_ASSIGN(password, read_password(sasl_));
  if (password == last_) return false;
  rd_kafka_error_t* error =
      rd_kafka_sasl_set_credentials(handle, sasl_.username.c_str(), password.c_str());
  if (error != nullptr) {
    rd_kafka_error_destroy(error);
    return unusable("kafka.sasl: librdkafka rejects the password of the changed file");
  }
  const bool changed = !last_.empty();
  last_ = std::move(password);
  return changed;
}

}  // namespace spanway::kafka::native
