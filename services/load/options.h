// The options of the load tool, from its command lines.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/base/secret.h"
#include "services/lib/endpoint_config/tls_config.h"
#include "services/load/counting_sink.h"
#include "services/load/generator.h"

namespace spanway::load {

enum class Transport : unsigned char { kGrpc, kHttpProtobuf, kHttpJson };

// spanway-load [send]
struct SendOptions {
  GeneratorOptions generator;
  Transport transport = Transport::kGrpc;
  std::string endpoint;  // host:port; for HTTP a URL.
  std::string compression = "none";
  std::map<std::string, Secret> headers;
  std::size_t connections = 0;  // 0 = one per worker.
  bool tls = false;
  ClientTlsConfig tls_files;  // For gRPC only with `tls`, for HTTP with https.
  std::string ledger_file;
  bool json_report = false;
};

// spanway-load sink
struct SinkServerOptions {
  std::string host = "127.0.0.1";
  std::optional<std::uint16_t> grpc_port = 4317;
  std::optional<std::uint16_t> http_port;  // None = no OTLP/HTTP.
  std::optional<std::uint16_t> admin_port = 8080;
  std::size_t threads = 1;
  std::size_t message_bytes_max = 64u << 20;
  std::size_t memory_bytes = 256u << 20;
  Behaviour behaviour;
  std::uint64_t seed = 1;   // Selects the requests that fail.
  std::string ledger_file;  // Compared with at the end.
};

// spanway-load compare
struct CompareOptions {
  std::string ledger_file;
  std::string sink_url = "http://127.0.0.1:8080";
};

// The text of --help, or the options, or all mistakes.
template <typename Options>
struct Parsed {
  Options options;
  std::string help;  // Set = show it and end.
};
// `random_run` names the run where the command line does not.
Result<Parsed<SendOptions>> parse_send(const std::vector<std::string>& arguments,
                                       std::uint64_t random_run);
Result<Parsed<SinkServerOptions>> parse_sink(const std::vector<std::string>& arguments);
Result<Parsed<CompareOptions>> parse_compare(const std::vector<std::string>& arguments);

// "UNAVAILABLE" or "14"; nothing for anything else.
std::optional<Code> parse_code(std::string_view text);

}  // namespace spanway::load
