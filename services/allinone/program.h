// `spanway` as a program: puts the chosen services into one host.
#pragma once

#include <memory>

#include "services/allinone/config.h"
#include "services/lib/runtime/service.h"

namespace spanway::allinone {

// The services of a configuration that has passed validate(), from the last hop to the first.
Result<std::unique_ptr<runtime::Service>> create_services(const AllInOneConfig& config,
                                                          const runtime::ServiceDeps& deps);

runtime::Program make_program();

}  // namespace spanway::allinone
