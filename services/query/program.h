// The query service as a program: its configuration and how it is made from it.
#pragma once

#include "services/lib/runtime/service.h"

namespace spanway::query {

runtime::Program make_program();

}  // namespace spanway::query
