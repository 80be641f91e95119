#include "services/lib/kafka/sasl_password.h"

#include <librdkafka/rdkafka.h>

#include <fstream>

namespace spanway::kafka::native {
namespace {

constexpr std::streamsize kFileBytesMax = 64 * 1024;

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
  std::ifstream file(file_of(sasl), std::ios::binary);
  if (!file) return unusable(sasl, "cannot be read");
  std::string text(static_cast<std::size_t>(kFileBytesMax) + 1, '\0');
  file.read(text.data(), kFileBytesMax + 1);
  if (file.gcount() > kFileBytesMax) return unusable(sasl, "is larger than 64 KiB");
  text.resize(static_cast<std::size_t>(file.gcount()));
  // ${file:path} drops line breaks at the end and keeps blanks.
  const char* const kBlank = sasl.password_file.empty() ? "\r\n" : " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string::npos) return unusable(sasl, "is empty");
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
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
