// A student as JSON: in requests and in the messages of both topics.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::demo {

// Fees are the same for all students, in euros.
inline constexpr std::int64_t kFees = 1200;

struct Student {
  std::int64_t id = 0;  // 0 = not stored yet.
  std::string firstname;
  std::string lastname;
};

inline constexpr std::size_t kStudentBytesMax = 4096;

// {"firstname": "Ada", "lastname": "Lovelace"}: other members are skipped; `id` is read where it is
// there. INVALID_ARGUMENT says what is missing.
Result<Student> parse_student(std::string_view json);
// The message of the topic `student`.
std::string to_json(const Student& student);
// The message of the topic `student-billing`.
std::string billing_json(const Student& student);

}  // namespace spanway::demo
