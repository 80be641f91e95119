#include "services/testapp/options.h"

#include <functional>
#include <utility>

#include "services/lib/config/scalar.h"

namespace spanway::testapp {
namespace {

constexpr std::string_view kHelp =
    R"(usage: spanway-test-app [flags]
Plays a small shop and sends the traces, metrics and logs of its services as OTLP. Prints a line per
purchase: "trace <id>" and what the pipeline answered.

  --endpoint E       where to send; host:port (default 127.0.0.1:4317), or for http a URL
                     (default http://127.0.0.1:4318); https:// speaks TLS
  --protocol P       grpc (default) or http
  --ca-file F        PEM file with the CA of the endpoint; default: the system's
  --header N=V       sent with every request, e.g. authorization=Bearer x; may be repeated
  --interval D       between two purchases, e.g. 500ms (default 2s)
  --count N          stop after so many purchases (default 0 = never)
  --seed N           repeat the same purchases; default: different ones each time
  --error-ratio R    how many purchases fail, 0 to 1 (default 0.1)
  --version          the version
  --help             this text

Exit code: 0; 1 when something was refused (with --count); 2 for a mistake on the command line.
)";

// Sets one option; false = not understood.
using Setter = std::function<bool(Options&, const std::string&)>;

bool set_protocol(Options& options, const std::string& value) {
  if (value != "grpc" && value != "http") return false;
  options.protocol = value == "grpc" ? OtlpProtocol::kGrpc : OtlpProtocol::kHttp;
  return true;
}

bool set_header(Options& options, const std::string& value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  std::string name = value.substr(0, equals);
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  options.headers.insert_or_assign(std::move(name), Secret(value.substr(equals + 1)));
  return true;
}

bool set_interval(Options& options, const std::string& value) {
  const auto duration = config::parse_duration(value);
  if (!duration || *duration <= Duration::zero()) return false;
  options.interval = *duration;
  return true;
}

std::optional<std::uint64_t> parse_count(const std::string& value) {
  const auto number = config::parse_int(value);
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

bool set_error_ratio(Options& options, const std::string& value) {
  const auto ratio = config::parse_double(value);
  if (!ratio || !(*ratio >= 0 && *ratio <= 1)) return false;
  options.error_ratio = *ratio;
  return true;
}

const std::map<std::string, Setter>& setters() {
  static const std::map<std::string, Setter> table = {
      {"endpoint",
       [](Options& o, const std::string& v) {
         o.endpoint = v;
         return !v.empty();
       }},
      {"protocol", set_protocol},
      {"ca-file",
       [](Options& o, const std::string& v) {
         o.ca_file = v;
         return !v.empty();
       }},
      {"header", set_header},
      {"interval", set_interval},
      {"count",
       [](Options& o, const std::string& v) {
         const auto count = parse_count(v);
         o.count = count.value_or(0);
         return count.has_value();
       }},
      {"seed",
       [](Options& o, const std::string& v) {
         o.seed = parse_count(v);
         return o.seed.has_value();
       }},
      {"error-ratio", set_error_ratio},
  };
  return table;
}

// The endpoint as the protocol's sink wants it.
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

std::string_view help_text() noexcept { return kHelp; }

Result<Options> parse_options(const std::vector<std::string>& words) {
  Options options;
  std::string mistakes;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--help" || word == "-h") {
      options.help = true;
      continue;
    }
    if (word == "--version") {
      options.version = true;
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string flag = word.substr(0, equals);
    const std::string name = flag.starts_with("--") ? flag.substr(2) : "";
    const auto setter = setters().find(name);
    if (setter == setters().end()) {
      mistakes += config::quote(word) + " is not a flag; see --help\n";
      continue;
    }
    if (equals == std::string::npos && i + 1 == words.size()) {
      mistakes += word + " needs a value\n";
      continue;
    }
    const std::string value = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
    if (!setter->second(options, value))
      mistakes += "--" + name + " does not take " + config::quote(value) + "; see --help\n";
  }
  if (!mistakes.empty()) {
    mistakes.pop_back();
    return invalid_argument(mistakes);
  }
  complete_endpoint(options);
  return options;
}

}  // namespace spanway::testapp
