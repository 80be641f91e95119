// Errors as values. A function that can fail returns Result<T>, or Status when there is nothing to
// return. Exceptions of third parties are caught where that library is called.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "services/lib/base/check.h"

namespace spanway {

// The gRPC canonical codes with their published numbers, so that mapping to gRPC is the identity.
enum class Code : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "UNAVAILABLE" and so on.
std::string_view to_string(Code code) noexcept;

// The meaning of a refusal for the next try. Decided where the fault is understood (kafka, rpc,
// http) and never guessed again further up.
enum class Refusal {
  kTransient,      // The same bytes may pass later: retry with back-off.
  kData,           // These bytes will never pass: split, and dead-letter the item that causes it.
  kConfiguration,  // Nothing will pass until a setting is changed: stall, report it.
  kUnknown,        // Could be either: retry, then halve.
};

std::string_view to_string(Refusal refusal) noexcept;

// Why something failed. `message` says what was tried, on what, what came back and what to do; it
// never holds a secret or a payload.
struct [[nodiscard]] Error {
  Code code = Code::kUnknown;
  Refusal refusal = Refusal::kUnknown;
  std::string message;
  // The retry delay that the refuser requested. Set only together with kTransient.
  std::optional<std::chrono::milliseconds> retry_after = std::nullopt;
  // A stable, machine-readable word for metrics, dead-letter headers and google.rpc.ErrorInfo,
  // for example "kafka_queue_full". Always a literal; never built from input.
  const char* reason = "";

  Error with_context(std::string_view context) && {
    message.insert(0, std::string(context) + ": ");
    return std::move(*this);
  }
  Error with_reason(const char* word) && {
    reason = word;
    return std::move(*this);
  }
  Error with_retry_after(std::chrono::milliseconds wait) && {
    retry_after = wait;
    return std::move(*this);
  }
};

Error transient_error(Code code, std::string message);
Error data_error(Code code, std::string message);
Error configuration_error(Code code, std::string message);
Error unknown_error(Code code, std::string message);
// INVALID_ARGUMENT, data.
Error invalid_argument(std::string message);
// UNAVAILABLE, transient.
Error unavailable(std::string message);

template <typename T>
class [[nodiscard]] Result {
  static_assert(!std::is_same_v<std::remove_cv_t<T>, Error>);

 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & {
    SPANWAY_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    SPANWAY_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    SPANWAY_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    SPANWAY_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    SPANWAY_CHECK(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  const Error& error() const& {
    SPANWAY_CHECK(!ok());
    return *error_;
  }
  Error&& error() && {
    SPANWAY_CHECK(!ok());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

inline Status ok_status() { return {}; }

}  // namespace spanway

// Returns the error of `expression` (a Result or Status) from the calling function.
#define SPANWAY_TRY(expression)                                   \
  do {                                                            \
    if (auto spanway_status = (expression); !spanway_status.ok()) \
      return std::move(spanway_status).error();                   \
  } while (false)

#define SPANWAY_CONCAT_INNER(a, b) a##b
#define SPANWAY_CONCAT(a, b) SPANWAY_CONCAT_INNER(a, b)

// SPANWAY_ASSIGN(auto port, parse_port(text)): declares from a Result, or returns its error.
#define SPANWAY_ASSIGN(declaration, expression)                          \
  auto SPANWAY_CONCAT(spanway_result_, __LINE__) = (expression);         \
  if (!SPANWAY_CONCAT(spanway_result_, __LINE__).ok())                   \
    return std::move(SPANWAY_CONCAT(spanway_result_, __LINE__)).error(); \
  declaration = std::move(SPANWAY_CONCAT(spanway_result_, __LINE__)).value()
