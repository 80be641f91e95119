// The program that main.cc runs.
#pragma once

#include "services/lib/runtime/service.h"

namespace spanway::cli {

// The operator and its commands.
runtime::Program make_program();

}  // namespace spanway::cli
