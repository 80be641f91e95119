// The load tool as a program: send, sink, compare.
#pragma once

#include <string>
#include <vector>

#include "services/lib/runtime/tool.h"

namespace spanway::load {

// 0 = done; 1 = nothing was acknowledged, or something is missing; 2 = bad usage, or no connection
// at the start.
int run(const std::vector<std::string>& arguments, const runtime::ToolDeps& deps);
runtime::Tool make_tool();

}  // namespace spanway::load
