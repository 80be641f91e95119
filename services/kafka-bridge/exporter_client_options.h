// The client of the configured destination.
#pragma once

#include "services/kafka-bridge/config.h"
#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::kafka_bridge {

// Stateless; thread-safe.
rpc::OtlpGrpcSinkOptions exporter_client_options(const DestinationConfig& c);

}  // namespace spanway::kafka_bridge
