#include "services/lib/kafka/sasl_password.h"

#include <librdkafka/rdkafka.h>

#include <fstream>

namespace spanway::kafka::native {
namespace {

constexpr std::streamsize kFileBytesMax = 64 * 1024;

Error unusable(const std::string& file, const char* why) {
  return configuration_error(Code::kFailedPrecondition, "kafka.sasl.password_file " + file + " " +
                                                            why +
                                                            "; check the path, its content "
                                                            "and its permissions")
      .with_reason("kafka_not_authenticated");
}

}  // namespace

Result<std::string> read_password(const SaslConfig& sasl) {
  if (sasl.password_file.empty()) return sasl.password.reveal();
  std::ifstream file(sasl.password_file, std::ios::binary);
  if (!file) return unusable(sasl.password_file, "cannot be read");
  std::string text(static_cast<std::size_t>(kFileBytesMax) + 1, '\0');
  file.read(text.data(), kFileBytesMax + 1);
  if (file.gcount() > kFileBytesMax) return unusable(sasl.password_file, "is larger than 64 KiB");
  text.resize(static_cast<std::size_t>(file.gcount()));
  constexpr const char* kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string::npos) return unusable(sasl.password_file, "is empty");
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Result<bool> SaslPassword::refresh(rd_kafka_t* handle) {
  if (sasl_.password_file.empty()) return false;
  std::string password;
  SPANWAY_ASSIGN(password, read_password(sasl_));
  if (password == last_) return false;
  rd_kafka_error_t* error =
      rd_kafka_sasl_set_credentials(handle, sasl_.username.c_str(), password.c_str());
  if (error != nullptr) {
    rd_kafka_error_destroy(error);
    return unusable(sasl_.password_file, "was refused by librdkafka");
  }
  const bool changed = !last_.empty();
  last_ = std::move(password);
  return changed;
}

}  // namespace spanway::kafka::native
