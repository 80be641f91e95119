// Hosts with ports in the fields of a Pipeline: the same rule for the API server and here.
#pragma once

#include <string_view>

namespace spanway::api {

// A host and its port in CEL. Macros, because literals are concatenated from them; is_authority()
// is the same in C++.
#define SPANWAY_HOST_PATTERN "([A-Za-z0-9._-]+|[[][0-9A-Fa-f:.]+[]])"
#define SPANWAY_PORT_PATTERN                       \
  "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|" \
  "65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

enum class Port { kOptional, kRequired };

// A name or an address ([...] for IPv6), and a port. A name that selects another resolver of a
// client (unix:..., ipv4:...) is refused.
bool is_authority(std::string_view text, Port port);

}  // namespace spanway::api
