// The key by which the places of a sink are shared (base/fair_shares.h).
#pragma once

#include <string>

#include "services/lib/otlp/signal.h"

namespace spanway::pipeline {

// Empty without a tenant: then all may have what is free.
inline std::string share_of(otlp::Signal signal, const std::string& tenant) {
  if (tenant.empty()) return "";
  return std::string(otlp::to_string(signal)) + "/" + tenant;
}

}  // namespace spanway::pipeline
