// The options of each part of the ingress, from its configuration.
#pragma once

#include "services/ingress/config.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp_server/otlp_http_handler.h"
#include "services/lib/rpc/export_service.h"
#include "services/lib/rpc/otlp_grpc_sink.h"

namespace spanway::ingress {

otlp::ScanLimits scan_limits(const LimitsConfig& c);
rpc::ExportServiceOptions grpc_options(const LimitsConfig& c);
otlp_server::OtlpHttpOptions http_options(const IngressConfig& c, std::string_view challenge);
rpc::OtlpGrpcSinkOptions next_options(const NextConfig& c, Duration timeout);

}  // namespace spanway::ingress
