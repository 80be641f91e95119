// Connections are open files, and a process may have only so many. For this module only.
#pragma once

#include <algorithm>
#include <cstddef>

namespace spanway::http {

// The part of `configured` connections that a server may have in a process of `files_max` open
// files: two listeners for OTLP and the admin port share them, and a part stays for everything
// else. At the limit a listener closes an idle connection; without files it can take none.
inline std::size_t connections_that_fit(std::size_t configured, std::size_t files_max) noexcept {
  constexpr std::size_t kOthersMax = 64;
  constexpr std::size_t kServers = 3;
  const std::size_t others = std::min(kOthersMax, files_max / 2);
  return std::min(configured, std::max<std::size_t>(1, (files_max - others) / kServers));
}

}  // namespace spanway::http
