// The command line of spanway-test-app.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/base/secret.h"
#include "services/testapp/shop.h"

namespace spanway::testapp {

enum class OtlpProtocol : std::uint8_t { kGrpc, kHttp };

struct Options {
  std::string help;  // Set: print it and end.
  OtlpProtocol protocol = OtlpProtocol::kGrpc;
  // grpc: host:port. http: a URL. Filled in by parse_options() when not given.
  std::string endpoint;
  bool tls = false;  // grpc only; of https:// for http.
  std::string ca_file;
  std::map<std::string, Secret> headers;  // Names in lower case.
  Duration interval = std::chrono::seconds(2);
  std::uint64_t count = 0;
  std::optional<std::uint64_t> seed;
  double error_ratio = 0.1;
  ShopFault fault = ShopFault::kNone;
};

// `arguments` without the program's name. An error lists every mistake.
Result<Options> parse_options(const std::vector<std::string>& arguments);

}  // namespace spanway::testapp
