#include "services/lib/otlp_blocks/conversion_errors.h"

#include <chrono>
#include <string>

#include "services/lib/otlp/value_json.h"

namespace spanway::otlp_blocks {

Error cannot_store(std::string_view what) {
  return invalid_argument("An attribute of a " + std::string(what) +
                          " has broken framing or is nested deeper than " +
                          std::to_string(otlp::kValueDepthMax) + " levels")
      .with_reason("malformed_request");
}

Error no_memory_to_convert() {
  return transient_error(Code::kResourceExhausted,
                         "Not enough of the memory budget is free to convert a batch; retry later, "
                         "or raise memory_limit")
      .with_retry_after(std::chrono::seconds(1))
      .with_reason("no_memory");
}

Error too_many_days() {
  return unknown_error(Code::kResourceExhausted, "The batch holds items of more than " +
                                                     std::to_string(kDaysOfRequestMax) +
                                                     " days; send it in parts")
      .with_reason("too_many_days");
}

}  // namespace spanway::otlp_blocks
