// Base64 as kubeconfig files hold it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spanway::kube {

// RFC 4648 with padding; white space is skipped. Nothing when it is anything else.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace spanway::kube
