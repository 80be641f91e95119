// Whether a program could start with the configuration it has loaded. The start runs the same code:
// Program::create.
#pragma once

#include "services/lib/runtime/service.h"

namespace spanway::runtime {

// What files, addresses and libraries have against the configuration; rules of single keys were
// checked by load() and validate(). Takes no configured port and starts nothing. An error that
// begins with names and colons ("otlp.tls: no such file") becomes a problem of that key. Blocks; by
// the main thread.
void check_start(const Program& program, const RuntimeConfig& runtime, config::Problems& problems);

}  // namespace spanway::runtime
