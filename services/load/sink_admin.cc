#include "services/load/sink_admin.h"

#include <string>
#include <utility>

#include "services/lib/runtime/flags.h"
#include "services/load/compare.h"
#include "services/load/options.h"

namespace spanway::load {
namespace {

constexpr std::size_t kLedgerBytesMax = 256u << 20;

http::Response text_response(int status, std::string_view type, std::string_view text) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", std::string(type));
  response.body = Bytes(text);
  return response;
}

http::Response json_response(std::string_view json) {
  return text_response(200, "application/json", std::string(json) + "\n");
}

http::Response error_response(int status, const Error& error) {
  return text_response(status, "text/plain", error.message + "\n");
}

// The body of POST /compare.
class LedgerBody final : public http::BodyReader {
 public:
  LedgerBody(const CountingSink& sink, http::Responder responder)
      : sink_(sink), responder_(std::move(responder)) {}

  bool on_data(std::string_view data) override {
    if (text_.size() + data.size() > kLedgerBytesMax) {
      responder_.send(text_response(413, "text/plain", "the ledger is too large\n"));
      return false;
    }
    text_ += data;
    return true;
  }
  void on_end() override {
    const Result<Ledger> ledger = parse_ledger(text_);
    if (!ledger.ok()) return responder_.send(error_response(400, ledger.error()));
    responder_.send(json_response(to_json(compare(*ledger, sink_))));
  }

 private:
  const CountingSink& sink_;
  http::Responder responder_;
  std::string text_;
};

// Answers when the (ignored) body is over.
class NoBody final : public http::BodyReader {
 public:
  NoBody(http::Response response, http::Responder responder)
      : response_(std::move(response)), responder_(std::move(responder)) {}
  bool on_data(std::string_view) override { return true; }
  void on_end() override { responder_.send(std::move(response_)); }

 private:
  http::Response response_;
  http::Responder responder_;
};

}  // namespace

Result<Behaviour> parse_behaviour(std::string_view query) {
  Behaviour behaviour;
  std::uint64_t delay_ms = 0, retry_after_ms = 0;
  std::string fail_code = "0";
  runtime::FlagSet set("", "");
  set.add("delay-ms", delay_ms, "");
  set.add("fail-code", fail_code, "");
  set.add("fail-ratio", behaviour.fail_ratio, "");
  set.add("retry-after-ms", retry_after_ms, "");
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    const std::string flag = "--" + std::string(part);
    const std::string_view argument = flag;
    SPANWAY_TRY(set.parse({&argument, 1}));
  }
  const auto code = parse_code(fail_code);
  if (!code) return invalid_argument("fail-code: expected a gRPC status code");
  behaviour.fail_code = *code;
  behaviour.delay = std::chrono::milliseconds(delay_ms);
  behaviour.retry_after = std::chrono::milliseconds(retry_after_ms);
  return behaviour;
}

http::Response SinkAdmin::get(std::string_view path) const {
  if (path == "/report") return json_response(sink_.report_json());
  if (path == "/healthz") return text_response(200, "text/plain", "ok\n");
  if (path == "/metrics") {
    return text_response(200, "text/plain; version=0.0.4", metrics_.expose());
  }
  return text_response(404, "text/plain", "GET /report /healthz /metrics\n");
}

http::Response SinkAdmin::change_behaviour(std::string_view query) {
  const Result<Behaviour> behaviour = parse_behaviour(query);
  if (!behaviour.ok()) return error_response(400, behaviour.error());
  sink_.set_behaviour(*behaviour);
  return text_response(200, "text/plain", "ok\n");
}

std::unique_ptr<http::BodyReader> SinkAdmin::on_request(const http::RequestHead& head,
                                                        http::Responder responder) {
  if (head.method == "GET") {
    responder.send(get(head.path));
    return nullptr;
  }
  if (head.method != "POST") {
    responder.send(text_response(405, "text/plain", "GET or POST\n"));
    return nullptr;
  }
  if (head.path == "/compare") return std::make_unique<LedgerBody>(sink_, std::move(responder));
  http::Response response = text_response(404, "text/plain", "POST /reset /behaviour /compare\n");
  if (head.path == "/reset") {
    sink_.reset();
    response = text_response(200, "text/plain", "ok\n");
  } else if (head.path == "/behaviour") {
    response = change_behaviour(head.query);
  }
  return std::make_unique<NoBody>(std::move(response), std::move(responder));
}

}  // namespace spanway::load
