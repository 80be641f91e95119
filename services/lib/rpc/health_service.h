// grpc.health.v1.Health/Check for the whole server and for each Export service. Internal to this
// module.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

#include "services/lib/http/server.h"

namespace spanway::rpc {

inline constexpr std::string_view kHealthCheckPath = "/grpc.health.v1.Health/Check";

// Reads a HealthCheckRequest and answers: SERVING or NOT_SERVING, NOT_FOUND for a service that is
// not ours. `serving` outlives the reader. Needs no permit: a request is at most 1 KiB.
std::unique_ptr<http::BodyReader> health_check(http::Responder responder,
                                               const std::atomic<bool>& serving);

}  // namespace spanway::rpc
