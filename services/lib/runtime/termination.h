// The termination message of a process, in the file that Kubernetes reads.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spanway::runtime {

inline constexpr const char* kTerminationLog = "/dev/termination-log";

// One line of at most 256 bytes without passwords and tokens, as far as they can be recognised: the
// user part of URLs and the values behind names such as password, token and authorization.
std::string redact(std::string_view reason);

// Writes `redact(reason)` to the file when it exists and may be written to; otherwise nothing
// happens.
void write_termination_message(const std::string& path, std::string_view reason);

// Kubernetes keeps this much of a file.
inline constexpr std::size_t kTerminationBytesMax = 4096;
// A report for a program, as it is, in the same file: the caller has taken secrets out and keeps to
// kTerminationBytesMax; a longer one is not written, half of it could not be read.
void write_termination_report(const std::string& path, std::string_view report);

}  // namespace spanway::runtime
