#include "services/load/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "services/lib/base/ascii.h"
#include "services/lib/runtime/flags.h"
#include "services/load/item_id.h"

namespace spanway::load {
namespace {

constexpr int kCodeMax = 16;
constexpr std::uint64_t kBatchDefault = 512;
constexpr std::uint64_t kBatchMax = 1'000'000;
// At small rates requests are made smaller, so that there are some in each second.
constexpr double kRequestsPerSecondMin = 10;
constexpr std::uint64_t kTemplateBytesMax = 1u << 30;

Error mistake(std::string text) {
  return invalid_argument(std::move(text)).with_reason("bad_flags");
}

// The flags of `send`, before they are validated.
struct SendFlags {
  std::string endpoint, protocol = "grpc", signal = "traces", compression = "none";
  std::uint64_t batch = 0, item_bytes = 770, spans_per_trace = 16, workers = 2, in_flight = 16;
  std::uint64_t distinct = 16, connections = 0, seed = 1;
  std::vector<std::string> headers;
  std::string run, report = "text";
};

Result<std::vector<otlp::Signal>> parse_signals(std::string_view text) {
  std::vector<otlp::Signal> signals;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
    const auto found = std::ranges::find_if(
        otlp::kSignals, [&](otlp::Signal signal) { return otlp::to_string(signal) == name; });
    if (found == otlp::kSignals.end()) {
      return mistake("--signal " + std::string(name) + ": expected traces, metrics or logs");
    }
    signals.push_back(*found);
  }
  if (signals.empty()) return mistake("--signal: expected traces, metrics, logs or some of them");
  return signals;
}

Result<Transport> parse_transport(const std::string& text) {
  if (text == "grpc") return Transport::kGrpc;
  if (text == "http") return Transport::kHttpProtobuf;
  if (text == "http-json") return Transport::kHttpJson;
  return mistake("--protocol " + text + ": expected grpc, http or http-json");
}

Result<std::map<std::string, Secret>> parse_headers(const std::vector<std::string>& lines) {
  std::map<std::string, Secret> headers;
  for (const std::string& line : lines) {
    const std::size_t equals = line.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return mistake("--header: expected name=value");
    }
    headers[to_lower(line.substr(0, equals))] = Secret(line.substr(equals + 1));
  }
  return headers;
}

std::uint64_t choose_batch(std::uint64_t chosen, double rate) noexcept {
  if (chosen > 0) return chosen;
  if (rate <= 0) return kBatchDefault;
  const auto small = static_cast<std::uint64_t>(std::ceil(rate / kRequestsPerSecondMin));
  return std::clamp<std::uint64_t>(small, 1, kBatchDefault);
}

void declare(runtime::FlagSet& set, SendFlags& flags, SendOptions& options) {
  GeneratorOptions& generator = options.generator;
  set.add("endpoint", flags.endpoint,
          "host:port, or a URL for HTTP; default 127.0.0.1:4317 or :4318");
  set.add("protocol", flags.protocol, "grpc, http (protobuf) or http-json");
  set.add("signal", flags.signal, "traces, metrics, logs, or several with commas");
  set.add("rate", generator.plan.rate, "items per second over all workers; 0 = no limit");
  set.add("duration", generator.plan.duration, "how long new requests are due");
  set.add("workers", flags.workers, "sending threads");
  set.add("in-flight", flags.in_flight, "undecided requests of each worker");
  set.add("batch", flags.batch, "items per request; 0 = 512, fewer at small rates");
  set.add("item-bytes", flags.item_bytes, "encoded size of an item");
  set.add("spans-per-trace", flags.spans_per_trace, "spans of each trace");
  set.add("distinct", flags.distinct, "different requests that are sent in turn");
  set.add("compression", options.compression, "none, gzip, or zstd (HTTP only)");
  set.add("connections", flags.connections, "connections; 0 = one per worker");
  set.add("tenant", generator.tenant, "sent as the header spanway-tenant");
  set.add("header", flags.headers, "name=value, sent with each request; several times");
  set.add("timeout", generator.timeout, "of one try");
  set.add("retry-for", generator.retry.retry_for, "how long a request is tried again");
  set.add("finish-within", generator.finish_within,
          "time after the duration in which everything must be decided");
  set.add("ledger", options.ledger_file, "file for what became of each request");
  set.add("report", flags.report, "text or json (one line), on standard output");
  set.add("seed", flags.seed, "of contents and jitter");
  set.add("run", flags.run, "16 hex digits that start with 5357; default random");
  set.add("tls", options.tls, "connect by TLS (gRPC; for HTTP write https)");
  set.add("tls-ca", options.tls_files.ca_file, "PEM file; default: the system's");
  set.add("tls-cert", options.tls_files.certificate_file, "PEM file for mutual TLS");
  set.add("tls-key", options.tls_files.key_file, "PEM file for mutual TLS");
  set.add("tls-server-name", options.tls_files.server_name, "name that the certificate must have");
}

Status check_numbers(const SendFlags& flags, const GeneratorOptions& generator) {
  const auto within = [](std::uint64_t value, std::uint64_t max) {
    return value >= 1 && value <= max;
  };
  if (!within(flags.workers, 64)) return mistake("--workers: expected 1 to 64");
  if (!within(flags.in_flight, 10'000)) return mistake("--in-flight: expected 1 to 10000");
  if (flags.batch > kBatchMax) return mistake("--batch: expected at most 1000000");
  if (!within(flags.item_bytes, 16u << 20)) return mistake("--item-bytes: expected 1 to 16777216");
  if (!within(flags.spans_per_trace, kBatchMax)) {
    return mistake("--spans-per-trace: expected 1 to 1000000");
  }
  if (!within(flags.distinct, 1024)) return mistake("--distinct: expected 1 to 1024");
  if (flags.connections > 64) return mistake("--connections: expected at most 64");
  if (generator.timeout <= Duration::zero()) return mistake("--timeout: expected more than 0");
  if (flags.report != "text" && flags.report != "json") {
    return mistake("--report " + flags.report + ": expected text or json");
  }
  return ok_status();
}

Status understand_contents(const SendFlags& flags, SendOptions& options) {
  GeneratorOptions& generator = options.generator;
  SPANWAY_ASSIGN(generator.signals, parse_signals(flags.signal));
  generator.plan.batch = choose_batch(flags.batch, generator.plan.rate);
  generator.contents.item_bytes = static_cast<std::size_t>(flags.item_bytes);
  generator.contents.spans_per_trace = static_cast<std::size_t>(flags.spans_per_trace);
  generator.distinct = static_cast<std::size_t>(flags.distinct);
  const std::uint64_t template_bytes = generator.plan.batch * flags.item_bytes * flags.distinct;
  if (template_bytes > kTemplateBytesMax) {
    return mistake("--batch x --item-bytes x --distinct is more than 1 GiB");
  }
  generator.workers = static_cast<std::size_t>(flags.workers);
  generator.in_flight = static_cast<std::size_t>(flags.in_flight);
  generator.seed = flags.seed;
  if (!flags.run.empty()) {
    const auto run = parse_hex(flags.run);
    if (!run || !is_run(*run)) return mistake("--run: expected 16 hex digits that start with 5357");
    generator.run = *run;
  }
  return ok_status();
}

Status understand_target(const SendFlags& flags, SendOptions& options) {
  SPANWAY_ASSIGN(options.transport, parse_transport(flags.protocol));
  const bool grpc = options.transport == Transport::kGrpc;
  if (options.compression != "none" && options.compression != "gzip" &&
      (grpc || options.compression != "zstd")) {
    return mistake("--compression " + options.compression +
                   ": expected none or gzip, and with HTTP zstd");
  }
  options.endpoint = flags.endpoint;
  if (options.endpoint.empty()) options.endpoint = grpc ? "127.0.0.1:4317" : "127.0.0.1:4318";
  if (!grpc && options.endpoint.find("://") == std::string::npos) {
    options.endpoint.insert(0, options.tls ? "https://" : "http://");
  }
  SPANWAY_ASSIGN(options.headers, parse_headers(flags.headers));
  options.connections =
      static_cast<std::size_t>(flags.connections > 0 ? flags.connections : flags.workers);
  options.json_report = flags.report == "json";
  return ok_status();
}

}  // namespace

std::optional<Code> parse_code(std::string_view text) {
  for (int code = 0; code <= kCodeMax; ++code) {
    const auto candidate = static_cast<Code>(code);
    if (text == to_string(candidate) || text == std::to_string(code)) return candidate;
  }
  return std::nullopt;
}

Result<Parsed<SendOptions>> parse_send(const std::vector<std::string>& arguments,
                                       std::uint64_t random_run) {
  Parsed<SendOptions> parsed;
  SendFlags flags;
  runtime::FlagSet set(
      "spanway-load [send] [flags] | sink [flags] | compare [flags] | --version",
      "Sends OTLP at a constant rate and keeps account of every item. Each command has its "
      "own --help.");
  declare(set, flags, parsed.options);
  SPANWAY_TRY(set.parse(arguments));
  if (set.help_requested()) {
    parsed.help = set.help();
    return parsed;
  }
  parsed.options.generator.run = make_run(random_run);
  SPANWAY_TRY(check_numbers(flags, parsed.options.generator));
  SPANWAY_TRY(understand_contents(flags, parsed.options));
  SPANWAY_TRY(understand_target(flags, parsed.options));
  return parsed;
}

Result<Parsed<SinkServerOptions>> parse_sink(const std::vector<std::string>& arguments) {
  Parsed<SinkServerOptions> parsed;
  SinkServerOptions& options = parsed.options;
  std::uint64_t threads = options.threads, message_bytes = options.message_bytes_max;
  std::uint64_t memory_bytes = options.memory_bytes, delay_ms = 0, retry_after_ms = 0;
  std::string fail_code;
  runtime::FlagSet set(
      "spanway-load sink [flags]",
      "Receives OTLP and counts every item of spanway-load once. GET /report and POST "
      "/reset, /behaviour and /compare on the admin port; a report at the end.");
  set.add("host", options.host, "address to listen on");
  set.add("grpc-port", options.grpc_port, "OTLP/gRPC; 0 = any");
  set.add("http-port", options.http_port, "OTLP/HTTP; 0 = any; without it there is none");
  set.add("admin-port", options.admin_port, "report and control; 0 = any");
  set.add("threads", threads, "receiving threads");
  set.add("message-bytes-max", message_bytes, "largest request");
  set.add("memory-bytes", memory_bytes, "for requests that are being received");
  set.add("delay-ms", delay_ms, "wait before each answer");
  set.add("fail-code", fail_code, "gRPC code to answer with, such as UNAVAILABLE or 14");
  set.add("fail-ratio", options.behaviour.fail_ratio, "of requests, with --fail-code");
  set.add("retry-after-ms", retry_after_ms, "goes with the failures; 0 = as the code has it");
  set.add("seed", options.seed, "of which requests fail");
  set.add("ledger", options.ledger_file, "compared with at the end");
  SPANWAY_TRY(set.parse(arguments));
  if (set.help_requested()) {
    parsed.help = set.help();
    return parsed;
  }
  if (threads < 1 || threads > 64) return mistake("--threads: expected 1 to 64");
  options.threads = static_cast<std::size_t>(threads);
  options.message_bytes_max = static_cast<std::size_t>(message_bytes);
  options.memory_bytes = static_cast<std::size_t>(memory_bytes);
  options.behaviour.delay = std::chrono::milliseconds(delay_ms);
  options.behaviour.retry_after = std::chrono::milliseconds(retry_after_ms);
  if (!fail_code.empty()) {
    const auto code = parse_code(fail_code);
    if (!code) return mistake("--fail-code " + fail_code + ": expected a gRPC status code");
    options.behaviour.fail_code = *code;
  }
  return parsed;
}

Result<Parsed<CompareOptions>> parse_compare(const std::vector<std::string>& arguments) {
  Parsed<CompareOptions> parsed;
  runtime::FlagSet set(
      "spanway-load compare --ledger FILE [flags]",
      "Says what of a ledger is missing at a sink, as JSON. Ends with 1 when something is.");
  set.add("ledger", parsed.options.ledger_file, "file that spanway-load has written");
  set.add("sink", parsed.options.sink_url, "admin address of the sink");
  SPANWAY_TRY(set.parse(arguments));
  if (set.help_requested()) {
    parsed.help = set.help();
    return parsed;
  }
  if (parsed.options.ledger_file.empty()) return mistake("--ledger is needed");
  return parsed;
}

}  // namespace spanway::load
