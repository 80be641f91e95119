#include <unistd.h>

#include <utility>

#include "services/lib/base/file.h"
#include "services/lib/config/load.h"

namespace spanway::config {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;

// Regular files only: a pipe or a device could block for ever or never end.
std::optional<std::string> read_source(const std::string& path) {
  auto content = read_regular_file(path, kFileBytesMax);
  if (!content.ok()) return std::nullopt;
  return std::move(content).value();
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
  sources.read_file = read_source;
  return sources;
}

}  // namespace spanway::config
