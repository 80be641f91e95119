// Reads one serialized Export request from standard input, scans it as our services do, and prints
// it as OTLP/JSON. What the scan found goes to standard error.
//   otlp_decode traces|metrics|logs <payload
// Exit code: 0 all items are valid, 1 some are not, 2 the request is not readable.
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/scan.h"

namespace {

using spanway::otlp::Signal;

int fail(std::string_view message) {
  std::cerr << "otlp_decode: " << message << '\n';
  return 2;
}

int decode(Signal signal, const std::string& payload) {
  spanway::otlp::Scanner scanner;
  if (const auto status = scanner.scan(signal, payload); !status.ok()) {
    return fail(status.error().message);
  }
  const auto json = spanway::otlp::protobuf_to_json(signal, payload);
  if (!json.ok()) return fail(json.error().message);
  std::cout << *json << '\n';
  const auto& index = scanner.index();
  std::cerr << "accepted " << index.accepted << " rejected " << index.rejected << '\n';
  if (index.rejected > 0) std::cerr << index.reject_message << '\n';
  return index.rejected > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) {
    for (const Signal signal : spanway::otlp::kSignals) {
      if (argv[1] != to_string(signal)) continue;
      return decode(signal, std::string(std::istreambuf_iterator<char>(std::cin), {}));
    }
  }
  return fail("usage: otlp_decode traces|metrics|logs <payload");
}
