// Classifies endpoints as public, private or local. Pure: names are classified by their text; the
// NetworkPolicy covers the addresses that they resolve to.
#pragma once

#include <string>
#include <string_view>

#include "operator/json/json.h"

namespace spanway::render {

enum class Family { kV4, kV6 };
// CIDRs that are not on the internet, for the exceptions of a NetworkPolicy.
kube::Json private_networks(Family family);

enum class Reach {
  kPublic,   // Allowed.
  kPrivate,  // In the cluster, or in a network around it.
  kLocal,    // The pod or its node, and where clouds serve credentials: no place for telemetry.
  kUnclear,  // An invalid host, or one that is known only at runtime.
};
struct Classification {
  Reach reach = Reach::kPublic;
  std::string why;  // "169.254.169.254 is a link-local address"; empty when public.
};
// Classifies "host:port", "[::1]:port" or a URL. All ways to write an address that a resolver takes
// are understood: decimal, octal, hexadecimal, short, IPv4 inside of IPv6.
Classification classify_endpoint(std::string_view endpoint);

}  // namespace spanway::render
