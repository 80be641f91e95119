// Maps librdkafka errors to the refusal kinds of base/result.h. The only place that knows its
// codes.
#pragma once

#include <span>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::kafka {

// `code` is an rd_kafka_resp_err_t. The message reads "<what>: <librdkafka's text>". Transient
// errors carry retry_after.
Error error_from_code(int code, std::string_view what);

// All reasons that error_from_code can give, for metrics.
std::span<const char* const> error_reasons() noexcept;

}  // namespace spanway::kafka
