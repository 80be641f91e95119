// The destinations under contract: each with a backend that answers as the test configures it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::contract {

// The backend's answer to every batch from now on.
enum class BackendAnswer {
  kAccept,
  kPartial,         // Takes all but two items.
  kBusy,            // Come back later.
  kRetryAfter,      // Come back in 7 s.
  kRetryAfterDate,  // The same, as a date.
  kBadData,
  kTooLarge,
  kUnauthenticated,
  kForbidden,
  kNotFound,
  kBroken,       // Fails without a reason.
  kHuge,         // Accepts, with an answer of more than 4 MiB.
  kHugeRefusal,  // kBadData, with such an answer.
  kHang,         // Takes the request and says nothing until release().
};
std::string_view to_string(BackendAnswer kind);

struct Limits {
  std::size_t in_flight_max = 64;
  Duration timeout = std::chrono::seconds(20);
};

// One destination with its backend. The backend outlives the sinks made for it.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual bool can(BackendAnswer kind) const = 0;
  virtual bool takes(otlp::Signal signal) const = 0;
  virtual std::unique_ptr<pipeline::Sink> make_sink(const Limits& limits) = 0;

  virtual void answer_with(BackendAnswer kind) = 0;
  // Requests that have arrived, hanging ones included. A batch is one request here.
  virtual std::size_t requests() const = 0;
  // False when that many have not come in time.
  virtual bool wait_for_requests(std::size_t count) const = 0;
  // Accepts all that hangs.
  virtual void release() = 0;
  // Closes the backend's port. False where the destination has none.
  virtual bool stop() = 0;
  virtual void restart() = 0;

 protected:
  http::IoPool io_{"contract", 2};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
};

// Names of all destinations, and the backend of one.
std::vector<std::string> destination_names();
std::unique_ptr<Backend> make_backend(const std::string& destination);

}  // namespace spanway::contract
