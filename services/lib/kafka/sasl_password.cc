#include "services/lib/kafka/sasl_password.h"

#include <librdkafka/rdkafka.h>

#include <string_view>

#include "services/lib/base/ascii.h"
#include "services/lib/base/file.h"

namespace spanway::kafka::native {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

const std::string& file_of(const SaslConfig& sasl) {
  return sasl.password_file.empty() ? sasl.password.file() : sasl.password_file;
}

Error unusable(const SaslConfig& sasl, const char* why) {
  const char* key = sasl.password_file.empty() ? "password" : "password_file";
  return configuration_error(Code::kFailedPrecondition,
                             std::string("kafka.sasl.") + key + ": the file " + file_of(sasl) +
                                 " " + why + "; check the path, its content and its permissions")
      .with_reason("kafka_not_authenticated");
}

}  // namespace

Result<std::string> read_password(const SaslConfig& sasl) {
  if (file_of(sasl).empty()) return sasl.password.reveal();
  const auto text = read_file(file_of(sasl), kFileBytesMax);
  if (!text.ok()) {
    const bool large = std::string_view(text.error().reason) == kFileTooLarge;
    return unusable(sasl, large ? "is larger than 64 KiB" : "cannot be read");
  }
  // ${file:path} drops line breaks at the end and keeps blanks.
  const char* const kBlank = sasl.password_file.empty() ? "\r\n" : " \t\r\n";
  std::string password(trim(*text, kBlank));
  if (password.empty()) return unusable(sasl, "is empty");
  return password;
}

Result<bool> SaslPassword::refresh(rd_kafka_t* handle) {
  if (file_of(sasl_).empty()) return false;
  std::string password;
  SPANWAY_ASSIGN(password, read_password(sasl_));
  if (password == last_) return false;
  rd_kafka_error_t* error =
      rd_kafka_sasl_set_credentials(handle, sasl_.username.c_str(), password.c_str());
  if (error != nullptr) {
    rd_kafka_error_destroy(error);
    return unusable(sasl_, "was rejected by librdkafka");
  }
  const bool changed = !last_.empty();
  last_ = std::move(password);
  return changed;
}

}  // namespace spanway::kafka::native
