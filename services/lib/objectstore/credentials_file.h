// A file of AWS credentials: sections of "key = value" lines. Internal to objectstore.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/objectstore/credentials.h"

namespace spanway::objectstore {

inline constexpr std::size_t kSmallFileBytesMax = 64u << 10;

// The text of a file with a secret. UNAUTHENTICATED, configuration, when it cannot be read, is
// empty or larger than kSmallFileBytesMax; the message names the file and never its content.
Result<std::string> read_secret_file(const std::string& path);

// The keys of one profile. Reads the file each time, so that a rotated one is used.
Result<Credentials> read_credentials_file(const std::string& path, std::string_view profile);

}  // namespace spanway::objectstore
