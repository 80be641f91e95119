// Reads files into memory, never more than a bound. Blocks on the disk. Stateless; thread-safe.
#pragma once

#include <cstddef>
#include <string>

#include "services/lib/base/result.h"

namespace spanway {

// Reasons of the errors below, for callers whose message says more than the path.
inline constexpr char kFileNotOpened[] = "file_not_opened";
inline constexpr char kFileUnreadable[] = "file_unreadable";  // A folder, for one.
inline constexpr char kFileTooLarge[] = "file_too_large";

// The complete content. Follows pipes and devices to their end, or to the bound.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
// A pipe or a device, which could block for ever or never end, is unreadable.
Result<std::string> read_regular_file(const std::string& path, std::size_t bytes_max);
// The rest of an open file, at most `bytes_max`; more is not read. The descriptor stays open.
Result<std::string> read_descriptor(int descriptor, std::size_t bytes_max);

}  // namespace spanway
