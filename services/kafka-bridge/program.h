// The kafka-bridge as a program: its configuration, and how the service is created from it.
#pragma once

#include "services/lib/runtime/service.h"

namespace spanway::kafka_bridge {

runtime::Program make_program();

}  // namespace spanway::kafka_bridge
