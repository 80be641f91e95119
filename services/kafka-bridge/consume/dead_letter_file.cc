#include "services/kafka-bridge/consume/dead_letter_file.h"

#include <algorithm>
#include <cerrno>

#include "services/lib/base/base64.h"
#include "services/lib/base/json_writer.h"

namespace spanway::kafka_bridge {
namespace {

// Encoded piece by piece, so that a large letter needs no second buffer of its size. A multiple of
// 3: padding only at the end.
constexpr std::size_t kPieceBytes = 48u << 10;
constexpr std::size_t kHeaderBytesMax = 4096;
// Upper bound of a line without its payload.
constexpr std::size_t kLineBytes = 16u << 10;

std::string head_of(std::string_view topic, const RecordHeaders& headers) {
  std::string line;
  JsonWriter json(line, kHeaderBytesMax);
  json.begin_object().member("topic", topic).begin_object("headers");
  for (const auto& [name, value] : headers) json.member(name, value);
  json.end_object().key("value");
  // The payload is appended piece by piece.
  return line + "\"";
}

}  // namespace

Status DeadLetterFile::append(std::string_view topic, const RecordHeaders& headers,
                              std::string_view payload) {
  int file = -1;
  std::uint64_t size = 0;
  bool torn = false;
  if (const int error = files_.open(path_, file, size, torn); error != 0) {
    return sinks::file_error(error, "open", path_);
  }
  Status status;
  if (size + kLineBytes + payload.size() / 3 * 4 > bytes_max_) {
    status = configuration_error(Code::kResourceExhausted,
                                 path_ + " has reached fallback.file_bytes_max: move it away")
                 .with_reason("disk_full");
  } else {
    if (size == 0) {
      const int error = files_.sync_directory_of(path_);
      if (error != 0) status = sinks::file_error(error, "sync the folder of", path_);
    }
    if (status.ok() && torn) status = write_all(file, "\n");
    if (status.ok()) status = write_line(file, topic, headers, payload);
    if (status.ok()) {
      if (const int error = files_.sync(file); error != 0) {
        status = sinks::file_error(error, "sync", path_);
      }
    }
    // If even that fails, the next line begins with a line feed.
    if (!status.ok()) static_cast<void>(files_.truncate(file, size));
  }
  files_.close(file);
  return status;
}

Status DeadLetterFile::write_line(int file, std::string_view topic, const RecordHeaders& headers,
                                  std::string_view payload) {
  std::string text = head_of(topic, headers);
  while (!payload.empty()) {
    const std::string_view piece = payload.substr(0, kPieceBytes);
    payload.remove_prefix(piece.size());
    append_base64(text, piece);
    SPANWAY_TRY(write_all(file, text));
    text.clear();
  }
  return write_all(file, text + "\"}\n");
}

Status DeadLetterFile::write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t written = 0;
    const int error = files_.write(file, bytes, written);
    if (error != 0 || written == 0) {
      return sinks::file_error(error != 0 ? error : EIO, "write to", path_);
    }
    bytes.remove_prefix(written);
  }
  return {};
}

}  // namespace spanway::kafka_bridge
