// Checks that a program can start with the configuration it has loaded, through the code of the
// start: Program::create.
#pragma once

#include "services/lib/runtime/service.h"

namespace spanway::runtime {

// Adds the problems that files, addresses and libraries report; rules of single keys were checked
// by load() and validate(). Takes no configured port and starts nothing. An error that
// begins with names and colons ("otlp.tls: no such file") becomes a problem of that key. Blocks; by
// the main thread.
void check_start(const Program& program, const RuntimeConfig& runtime, config::Problems& problems);

}  // namespace spanway::runtime
