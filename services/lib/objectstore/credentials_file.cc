#include "services/lib/objectstore/credentials_file.h"

#include <sstream>
#include <utility>

#include "services/lib/base/file.h"

namespace spanway::objectstore {
namespace {

Error unreadable(const std::string& path, const std::string& problem) {
  return configuration_error(Code::kUnauthenticated, "The file " + path + " " + problem)
      .with_reason("s3_no_credentials");
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

Result<std::string> read_secret_file(const std::string& path) {
  auto text = read_file(path, kSmallFileBytesMax);
  if (!text.ok())
    return configuration_error(Code::kUnauthenticated, std::move(text).error().message)
        .with_context("A file with credentials")
        .with_reason("s3_no_credentials");
  if (text->empty()) return unreadable(path, "is empty");
  return text;
}

Result<Credentials> read_credentials_file(const std::string& path, std::string_view profile) {
  SPANWAY_ASSIGN(const std::string text, read_secret_file(path));
  std::istringstream lines(text);
  std::string line;
  bool inside = false;
  std::string key_id, secret, token;
  while (std::getline(lines, line)) {
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    if (content.front() == '[') {
      inside = content.back() == ']' && trimmed(content.substr(1, content.size() - 2)) == profile;
      continue;
    }
    const std::size_t equals = content.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(content.substr(0, equals));
    const std::string value(trimmed(content.substr(equals + 1)));
    if (name == "aws_access_key_id") key_id = value;
    if (name == "aws_secret_access_key") secret = value;
    if (name == "aws_session_token") token = value;
  }
  if (key_id.empty() || secret.empty())
    return unreadable(path, "has no aws_access_key_id and aws_secret_access_key in its profile " +
                                std::string(profile));
  return Credentials{.access_key_id = std::move(key_id),
                     .secret_access_key = Secret(std::move(secret)),
                     .session_token = Secret(std::move(token)),
                     .expires = std::nullopt};
}

}  // namespace spanway::objectstore
