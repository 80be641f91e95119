#include "services/testapp/options.h"

#include <string_view>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/config/scalar.h"
#include "services/lib/runtime/flags.h"

namespace spanway::testapp {
namespace {

constexpr char kSummary[] =
    "Plays a small shop and sends the traces, metrics and logs of its services as OTLP. Prints a "
    "line per\npurchase: \"trace <id>\" and what the pipeline answered. --version prints the "
    "version.\n"
    "Exit code: 0; 1 when something was refused (with --count); 2 for bad usage.";

bool set_protocol(Options& options, std::string_view value) {
  if (value != "grpc" && value != "http") return false;
  options.protocol = value == "grpc" ? OtlpProtocol::kGrpc : OtlpProtocol::kHttp;
  return true;
}

bool set_header(Options& options, std::string_view value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  options.headers.insert_or_assign(to_lower(value.substr(0, equals)),
                                   Secret(std::string(value.substr(equals + 1))));
  return true;
}

bool set_interval(Options& options, std::string_view value) {
  const auto duration = config::parse_duration(value);
  if (!duration || *duration <= Duration::zero()) return false;
  options.interval = *duration;
  return true;
}

bool set_error_ratio(Options& options, std::string_view value) {
  const auto ratio = config::parse_double(value);
  if (!ratio || !(*ratio >= 0 && *ratio <= 1)) return false;
  options.error_ratio = *ratio;
  return true;
}

bool set_fault(Options& options, std::string_view value) {
  for (const auto& [name, fault] :
       {std::pair(std::string_view("slow-database"), ShopFault::kSlowDatabase),
        std::pair(std::string_view("failing-payment"), ShopFault::kFailingPayment),
        std::pair(std::string_view("n-plus-one"), ShopFault::kNPlusOne),
        std::pair(std::string_view("dead-consumer"), ShopFault::kDeadConsumer)}) {
    if (name != value) continue;
    options.fault = fault;
    return true;
  }
  return false;
}

runtime::FlagSet flag_set(Options& options) {
  const auto into = [&options](bool (*set)(Options&, std::string_view)) {
    return [&options, set](std::string_view value) { return set(options, value); };
  };
  runtime::FlagSet set("spanway-test-app [flags]", kSummary);
  set.add("endpoint", options.endpoint,
          "host:port, or for http a URL; https:// uses TLS; default 127.0.0.1:4317 or :4318");
  set.add("protocol", into(set_protocol), "grpc or http", "grpc (default) or http");
  set.add("ca-file", options.ca_file,
          "PEM file with the CA of the endpoint; default: the system's");
  set.add("header", into(set_header), "name=value",
          "name=value, sent with every request; several times");
  set.add("interval", into(set_interval), "a duration above 0, such as 500ms",
          "between two purchases (default 2s)");
  set.add("count", options.count, "stop after so many purchases; 0 = never");
  set.add("seed", options.seed, "repeat the same purchases; default: different ones each time");
  set.add("error-ratio", into(set_error_ratio), "a number from 0 to 1",
          "how many purchases fail, 0 to 1 (default 0.1)");
  set.add("fault", into(set_fault), "slow-database, failing-payment, n-plus-one or dead-consumer",
          "a cause of trouble to be found: slow-database, failing-payment, n-plus-one or "
          "dead-consumer");
  return set;
}

// The endpoint in the form that the protocol's sink takes.
void complete_endpoint(Options& options) {
  const bool http = options.protocol == OtlpProtocol::kHttp;
  std::string& endpoint = options.endpoint;
  if (endpoint.empty()) endpoint = http ? "http://127.0.0.1:4318" : "127.0.0.1:4317";
  if (http) {
    if (endpoint.find("://") == std::string::npos) endpoint.insert(0, "http://");
    return;
  }
  options.tls = endpoint.starts_with("https://");
  const std::size_t scheme = endpoint.find("://");
  if (scheme != std::string::npos) endpoint.erase(0, scheme + 3);
  while (endpoint.ends_with('/')) endpoint.pop_back();
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  runtime::FlagSet set = flag_set(options);
  SPANWAY_TRY(set.parse(arguments));
  if (set.help_requested()) options.help = set.help();
  complete_endpoint(options);
  return options;
}

}  // namespace spanway::testapp
