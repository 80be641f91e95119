// Arrow's statuses and exceptions as errors of ours. Internal to parquet_arrow.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/base/result.h"

namespace spanway::parquet_file {

// No memory is transient. Anything else depends on what the file or the rows hold: data.
inline Error arrow_error(std::string_view what, const arrow::Status& status) {
  if (status.IsOutOfMemory())
    return transient_error(Code::kResourceExhausted, std::string(what) + ": out of memory")
        .with_reason("no_memory");
  return invalid_argument(std::string(what) + ": " + status.message())
      .with_reason("malformed_parquet");
}

// Runs `function`, which returns a Result or a Status of ours and may throw.
template <typename Function>
auto guarded(std::string_view what, Function&& function) -> decltype(function()) {
  try {
    return std::forward<Function>(function)();
  } catch (const std::bad_alloc&) {
    return arrow_error(what, arrow::Status::OutOfMemory(""));
  } catch (const std::exception& exception) {
    return arrow_error(what, arrow::Status::Invalid(exception.what()));
  }
}

}  // namespace spanway::parquet_file

// Returns the error of an arrow::Status from the calling function.
#define SPANWAY_ARROW_TRY(what, expression)                                      \
  do {                                                                           \
    if (const arrow::Status spanway_status = (expression); !spanway_status.ok()) \
      return ::spanway::parquet_file::arrow_error(what, spanway_status);         \
  } while (false)

// Declares from an arrow::Result, or returns its error.
#define SPANWAY_ARROW_ASSIGN(declaration, what, expression)                                        \
  auto SPANWAY_CONCAT(arrow_result_, __LINE__) = (expression);                                     \
  if (!SPANWAY_CONCAT(arrow_result_, __LINE__).ok())                                               \
    return ::spanway::parquet_file::arrow_error(what,                                              \
                                                SPANWAY_CONCAT(arrow_result_, __LINE__).status()); \
  declaration = std::move(SPANWAY_CONCAT(arrow_result_, __LINE__)).ValueUnsafe()
