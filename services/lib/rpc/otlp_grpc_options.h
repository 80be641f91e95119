// The check of an OTLP/gRPC client's options before a channel is made of them.
#pragma once

#include "services/lib/base/result.h"
#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::rpc {

// INVALID_ARGUMENT, configuration, that names the option. Reads the TLS files. Thread-safe.
Status check(const OtlpGrpcSinkOptions& options);

}  // namespace spanway::rpc
