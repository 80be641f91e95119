// The part of another service's /statusz that the page shows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/lib/base/json_writer.h"

namespace spanway::query {

// Writes an array: one object for each service of the process, with the members of STATUSZ.md that
// name no tenant and quote no destination, and "part", the name of the service in a process with
// several. Text that is not as /statusz writes it is the error; nothing is written then.
std::optional<std::string> statusz_extract(std::string_view statusz);

}  // namespace spanway::query
