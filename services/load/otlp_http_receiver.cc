#include "services/load/otlp_http_receiver.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/http/content_coding.h"
#include "services/lib/otlp/json.h"
#include "services/lib/otlp/status_map.h"

namespace spanway::load {
namespace {

using otlp::Encoding;

constexpr auto kDeadline = std::chrono::seconds(30);

std::string_view content_type_of(Encoding encoding) noexcept {
  return encoding == Encoding::kJson ? "application/json" : "application/x-protobuf";
}

http::Response error_response(const Error& error, Encoding encoding) {
  http::Response response;
  response.status = otlp::http_status(error);
  response.headers.add("content-type", std::string(content_type_of(encoding)));
  if (const auto seconds = otlp::retry_after_seconds(error)) {
    response.headers.add("retry-after", std::to_string(*seconds));
  }
  response.body = otlp::status_body(error, encoding);
  return response;
}

http::Response plain_response(int status) {
  http::Response response;
  response.status = status;
  return response;
}

std::optional<otlp::Signal> signal_of(std::string_view path) noexcept {
  const auto found = std::ranges::find_if(
      otlp::kSignals, [&](otlp::Signal signal) { return otlp::http_path(signal) == path; });
  if (found == otlp::kSignals.end()) return std::nullopt;
  return *found;
}

std::optional<Encoding> encoding_of(std::string_view content_type) noexcept {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  if (type == "application/x-protobuf") return Encoding::kProtobuf;
  if (type == "application/json") return Encoding::kJson;
  return std::nullopt;
}

// One request. On the connection's io thread.
class RequestBody final : public http::BodyReader {
 public:
  RequestBody(otlp::Signal signal, Encoding encoding, std::unique_ptr<http::Decoder> decoder,
              pipeline::Sink& sink, Permit permit, Deadline deadline, http::Responder responder)
      : signal_(signal),
        encoding_(encoding),
        decoder_(std::move(decoder)),
        sink_(sink),
        permit_(std::move(permit)),
        deadline_(deadline),
        responder_(std::move(responder)) {}

  bool on_data(std::string_view data) override {
    if (!responder_) return false;
    const auto grow = [this](std::size_t total) {
      return total <= body_.capacity() ||
             permit_.grow_to(std::max({total, 2 * body_.capacity(), permit_.bytes()}));
    };
    return check(decoder_->decode(data, body_, grow));
  }

  void on_end() override {
    if (!responder_ || !check(decoder_->finish())) return;
    if (encoding_ == Encoding::kJson) {
      Result<Bytes> converted = otlp::json_to_protobuf(signal_, body_.view());
      if (!converted.ok()) return refuse(converted.error());
      body_ = std::move(converted).value();
    }
    pipeline::Batch batch;
    batch.signal = signal_;
    batch.payload = std::move(body_);
    batch.permit = std::move(permit_);
    batch.deadline = deadline_;
    sink_.send(std::move(batch), make_token());
  }

 private:
  bool check(Status status) {
    if (!status.ok()) refuse(status.error());
    return status.ok();
  }
  void refuse(const Error& error) {
    std::exchange(responder_, http::Responder()).send(error_response(error, encoding_));
    body_ = Bytes();
    permit_.release();
  }
  pipeline::AckToken make_token() {
    // Shared only because a std::function must be copyable.
    auto responder = std::make_shared<http::Responder>(std::move(responder_));
    return pipeline::AckToken([responder, signal = signal_,
                               encoding = encoding_](Result<pipeline::Outcome> result) {
      if (!result.ok()) return responder->send(error_response(result.error(), encoding));
      http::Response response;
      response.headers.add("content-type", std::string(content_type_of(encoding)));
      response.body = otlp::export_response(signal, result->rejected, result->message, encoding);
      responder->send(std::move(response));
    });
  }

  const otlp::Signal signal_;
  const Encoding encoding_;
  const std::unique_ptr<http::Decoder> decoder_;
  pipeline::Sink& sink_;
  Permit permit_;
  const Deadline deadline_;
  http::Responder responder_;
  Bytes body_;
};

}  // namespace

std::unique_ptr<http::BodyReader> OtlpHttpReceiver::on_request(const http::RequestHead& head,
                                                               http::Responder responder) {
  const auto refuse = [&responder](int status) {
    responder.send(plain_response(status));
    return nullptr;
  };
  const auto signal = signal_of(head.path);
  if (!signal) return refuse(404);
  if (head.method != "POST") return refuse(405);
  const auto encoding = encoding_of(head.headers.get("content-type"));
  if (!encoding) return refuse(415);
  const Result<http::ContentCoding> coding =
      http::parse_content_coding(head.headers.get("content-encoding"));
  if (!coding.ok()) {
    responder.send(error_response(coding.error(), *encoding));
    return nullptr;
  }
  return std::make_unique<RequestBody>(
      *signal, *encoding,
      http::Decoder::create(*coding, http::DecodeLimits{.decoded_bytes_max = body_bytes_max_}),
      sink_, budget_.empty_permit(), Deadline::after(clock_, kDeadline), std::move(responder));
}

}  // namespace spanway::load
