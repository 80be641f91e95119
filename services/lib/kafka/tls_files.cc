#include "services/lib/kafka/tls_files.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <functional>
#include <string>
#include <utility>

#include "services/lib/base/file.h"

namespace spanway::kafka::native {
namespace {

constexpr std::size_t kFileBytesMax = 4u << 20;

struct TlsFile {
  const char* key;
  std::string TlsConfig::*path;
  std::string_view setting;  // librdkafka's.
  const char* advice;
};
constexpr std::array<TlsFile, 3> kFiles = {{
    {"kafka.tls.ca_file", &TlsConfig::ca_file, "ssl.ca.location",
     "it must hold PEM certificates of CAs"},
    {"kafka.tls.certificate_file", &TlsConfig::certificate_file, "ssl.certificate.location",
     "it must hold the client's PEM certificate chain"},
    {"kafka.tls.key_file", &TlsConfig::key_file, "ssl.key.location",
     "it must hold the PEM key of kafka.tls.certificate_file, and kafka.tls.key_password its "
     "password"},
}};

Error misconfigured(std::string message) {
  return configuration_error(Code::kFailedPrecondition, std::move(message))
      .with_reason("kafka_misconfigured");
}

// A hash over the contents of all files.
Result<std::size_t> hash_of_files(const TlsConfig& tls) {
  std::size_t hash = 0;
  for (const TlsFile& file : kFiles) {
    const std::string& path = tls.*file.path;
    if (path.empty()) continue;
    const Result<std::string> text = read_file(path, kFileBytesMax);
    if (!text.ok()) return misconfigured(std::string(file.key) + ": " + text.error().message);
    if (text->empty())
      return misconfigured(std::string(file.key) + ": the file " + path + " is empty; " +
                           file.advice);
    hash = std::hash<std::string>()(std::to_string(hash) + *text);
  }
  return hash;
}

}  // namespace

Status check_tls_files(const TlsConfig& tls) {
  SPANWAY_TRY(hash_of_files(tls));
  return ok_status();
}

Result<bool> TlsReload::refresh(rd_kafka_t* handle) {
  const bool has_files =
      !tls_.ca_file.empty() || !tls_.certificate_file.empty() || !tls_.key_file.empty();
  if (!tls_.enabled || !has_files) return false;
  SPANWAY_ASSIGN(const std::size_t hash, hash_of_files(tls_));
  if (last_ == hash) return false;
  if (rd_kafka_error_t* const error = rd_kafka_ssl_reload(handle)) {
    Error refused = start_error(tls_, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    refused.message += "; the files that were read before stay in use";
    return refused;
  }
  const bool changed = last_.has_value();
  last_ = hash;
  return changed;
}

Error start_error(const TlsConfig& tls, std::string_view text) {
  for (const TlsFile& file : kFiles) {
    const bool of_key = file.path == &TlsConfig::key_file &&
                        text.find("rivate key check failed") != std::string_view::npos;
    if (!of_key && !text.starts_with(file.setting)) continue;
    return misconfigured(std::string(file.key) + ": the file " + tls.*file.path +
                         " cannot be used (" + std::string(text) + "); " + file.advice);
  }
  return misconfigured("kafka: librdkafka cannot start with these settings: " + std::string(text));
}

}  // namespace spanway::kafka::native
