#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/lib/config/load.h"

namespace spanway::config {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;

// Regular files only: a pipe or a device could block for ever or never end.
std::optional<std::string> read_regular_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return std::nullopt;
  std::optional<std::string> content;
  struct stat info {};
  if (fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
    content.emplace();
    char buffer[4096];
    ssize_t count = 0;
    while ((count = read(file, buffer, sizeof buffer)) > 0 && content->size() <= kFileBytesMax)
      content->append(buffer, static_cast<std::size_t>(count));
    if (count < 0 || content->size() > kFileBytesMax) content.reset();
  }
  close(file);
  return content;
}

}  // namespace

Sources Sources::of_process() {
  Sources sources;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      sources.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  sources.read_file = read_regular_file;
  return sources;
}

}  // namespace spanway::config
