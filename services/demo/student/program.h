// spanway-demo-student: the C++ applications of `make demo-student`.
#pragma once

#include "services/lib/runtime/tool.h"

namespace spanway::demo {

runtime::Tool make_tool();

}  // namespace spanway::demo
