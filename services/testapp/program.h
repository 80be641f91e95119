// spanway-test-app: telemetry of a shop that does not exist, for trying Spanway.
#pragma once

#include "services/lib/runtime/tool.h"

namespace spanway::testapp {

runtime::Tool make_tool();

}  // namespace spanway::testapp
