#include "services/lib/otlp_server/otlp_http_handler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/lib/rpc/grpc_response.h"

namespace spanway::otlp_server {
namespace {

// A list of short numbers takes two characters each and becomes eight bytes each.
constexpr std::size_t kJsonGrowthMax = 4;
constexpr std::size_t kJsonBytesMin = 64;

// Endpoints are often joined from parts, so one slash too many at either end is forgiven.
std::optional<otlp::Signal> signal_of(std::string_view path) noexcept {
  while (path.starts_with("//")) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  for (const otlp::Signal signal : otlp::kSignals)
    if (otlp::http_path(signal) == path) return signal;
  return std::nullopt;
}

Error too_large(const std::string& what, std::size_t bytes_max) {
  return data_error(
             Code::kResourceExhausted,
             what + " is larger than " + std::to_string(bytes_max) + " bytes: send smaller batches")
      .with_reason("body_too_large");
}

// Where the first of the rejected items was wrong: the scan does not have the JSON.
std::string with_fault(std::string message, const std::string& fault) {
  if (fault.empty()) return message;
  return message.empty() ? fault : message + "; " + fault;
}

// Over HTTP/1.1 no gRPC client could read its answer.
bool is_grpc(const http::RequestHead& head) noexcept {
  return head.protocol == http::Protocol::kHttp2 &&
         head.headers.get("content-type").starts_with("application/grpc");
}

OtlpHttpEvents::Refused refused_by_decoding(const Error& error) noexcept {
  if (error.refusal == Refusal::kTransient) return OtlpHttpEvents::Refused::kMemory;
  return error.code == Code::kResourceExhausted ? OtlpHttpEvents::Refused::kTooLarge
                                                : OtlpHttpEvents::Refused::kMalformed;
}

}  // namespace

// One request's body. On the connection's io thread.
class OtlpHttpHandler::Body final : public http::BodyReader {
 public:
  struct Head {
    otlp::Signal signal = otlp::Signal::kTraces;
    http::ContentCoding coding = http::ContentCoding::kIdentity;
    pipeline::Metadata metadata;
    Deadline deadline = Deadline::never();
    std::optional<std::uint64_t> declared;
    std::string peer;
  };
  Body(const OtlpHttpHandler& handler, Head head, HttpAnswer answer, Permit permit)
      : handler_(handler),
        head_(std::move(head)),
        answer_(std::move(answer)),
        permit_(std::move(permit)),
        decoder_(http::Decoder::create(head_.coding, decode_limits())) {}

  bool on_data(std::string_view data) override {
    if (answered_) return false;
    wire_bytes_ += data.size();
    if (head_.coding != http::ContentCoding::kIdentity &&
        wire_bytes_ > handler_.options_.compressed_bytes_max) {
      return refuse(OtlpHttpEvents::Refused::kTooLarge,
                    too_large("the compressed body", handler_.options_.compressed_bytes_max));
    }
    Status status =
        decoder_->decode(data, body_, [this](std::size_t total) { return grow(total); });
    if (!status.ok()) return refuse_undecoded(std::move(status).error());
    return true;
  }

  void on_end() override {
    if (answered_) return;
    if (Status status = decoder_->finish(); !status.ok()) {
      refuse_undecoded(std::move(status).error());
      return;
    }
    if (is_json() && !convert_json()) return;
    permit_.shrink_to(body_.capacity());
    send();
  }

 private:
  bool is_json() const noexcept { return answer_.encoding() == otlp::Encoding::kJson; }

  http::DecodeLimits decode_limits() const {
    http::DecodeLimits limits = handler_.options_.decode;
    if (head_.coding == http::ContentCoding::kIdentity)
      limits.announced_bytes = static_cast<std::size_t>(head_.declared.value_or(0));
    return limits;
  }

  // The permit follows the buffer in both directions.
  bool grow(std::size_t total) noexcept {
    permit_.shrink_to(total);
    return total <= permit_.bytes() || (permit_.admits() && permit_.grow_to(total));
  }

  bool refuse(OtlpHttpEvents::Refused reason, const Error& error) {
    answered_ = true;
    handler_.refuse(answer_, head_.peer, reason, error);
    body_ = Bytes();
    permit_.release();
    return false;
  }

  bool refuse_undecoded(Error error) {
    // The decoder does not know how long to wait.
    if (error.refusal == Refusal::kTransient)
      return refuse(OtlpHttpEvents::Refused::kMemory, handler_.memory_error());
    return refuse(refused_by_decoding(error), error);
  }

  bool convert_json() {
    otlp::JsonLimits limits;
    limits.depth_max = handler_.options_.json_depth_max;
    limits.output_bytes_max =
        std::min(kJsonGrowthMax * std::max<std::size_t>(body_.size(), kJsonBytesMin),
                 handler_.options_.decode.decoded_bytes_max);
    // Covers the text, and grows with what becomes of it.
    permit_.shrink_to(body_.capacity());
    limits.permit = &permit_;
    otlp::JsonNotes notes;
    Result<Bytes> payload = otlp::json_to_protobuf(head_.signal, body_.view(), limits, &notes);
    if (!payload.ok() && payload.error().refusal == Refusal::kTransient)
      return refuse(OtlpHttpEvents::Refused::kMemory, handler_.memory_error());
    if (!payload.ok()) return refuse(refused_by_decoding(payload.error()), payload.error());
    body_ = std::move(payload).value();
    if (notes.replaced_surrogates > 0)
      handler_.events_.replaced_surrogates(head_.signal, notes.replaced_surrogates);
    json_fault_ = std::move(notes.first_fault);
    return true;
  }

  void send() {
    answered_ = true;
    pipeline::Batch batch;
    batch.signal = head_.signal;
    batch.payload = std::move(body_);
    batch.metadata = std::move(head_.metadata);
    batch.deadline = head_.deadline;
    batch.permit = std::move(permit_);
    // Shared only because a std::function must be copyable; there is one owner.
    auto answer = std::make_shared<HttpAnswer>(std::move(answer_));
    handler_.sink_.send(
        std::move(batch),
        pipeline::AckToken([answer, signal = head_.signal,
                            fault = std::move(json_fault_)](Result<pipeline::Outcome> result) {
          if (result.ok()) {
            answer->succeed(signal, result->rejected,
                            with_fault(std::move(result->message), fault));
          } else {
            Error error = std::move(result).error();
            if (std::string_view(error.reason) == "all_items_rejected")
              error.message = with_fault(std::move(error.message), fault);
            answer->fail(error);
          }
        }));
  }

  const OtlpHttpHandler& handler_;
  Head head_;
  HttpAnswer answer_;
  Permit permit_;
  std::unique_ptr<http::Decoder> decoder_;
  Bytes body_;
  std::string json_fault_;
  std::size_t wire_bytes_ = 0;
  bool answered_ = false;
};

OtlpHttpHandler::OtlpHttpHandler(OtlpHttpOptions options, pipeline::Sink& sink,
                                 rpc::Gatekeeper& gatekeeper, MemoryBudget& budget,
                                 const Clock& clock, OtlpHttpEvents& events)
    : options_(std::move(options)),
      cors_(options_.cors),
      sink_(sink),
      gatekeeper_(gatekeeper),
      budget_(budget),
      clock_(clock),
      events_(events) {}

void OtlpHttpHandler::refuse(HttpAnswer& answer, const std::string& peer,
                             OtlpHttpEvents::Refused reason, const Error& error, int status) const {
  events_.refused(reason, peer, error);
  answer.fail(error, status);
}

Error OtlpHttpHandler::memory_error() const {
  return transient_error(Code::kResourceExhausted, "the memory limit of this process is reached")
      .with_retry_after(
          std::chrono::duration_cast<std::chrono::milliseconds>(options_.retry_after_overload))
      .with_reason("memory_limit");
}

Error OtlpHttpHandler::wrong_port() const {
  const std::uint16_t port = grpc_port_.load(std::memory_order_relaxed);
  return configuration_error(Code::kUnimplemented,
                             "this port serves OTLP/HTTP, not gRPC: " +
                                 (port == 0 ? std::string("OTLP/gRPC is not enabled here")
                                            : "send OTLP/gRPC to port " + std::to_string(port)))
      .with_reason("wrong_port");
}

std::variant<otlp::Signal, OtlpHttpHandler::Refused> OtlpHttpHandler::route(
    const http::RequestHead& head) const {
  const auto signal = signal_of(head.path);
  if (!signal) {
    return Refused{
        OtlpHttpEvents::Refused::kUnsupported,
        configuration_error(Code::kNotFound,
                            "nothing is served here: use /v1/traces, /v1/metrics or /v1/logs")
            .with_reason("unknown_path"),
        404};
  }
  if (head.method != "POST") {
    return Refused{OtlpHttpEvents::Refused::kUnsupported,
                   configuration_error(Code::kUnimplemented, "OTLP is sent with POST")
                       .with_reason("unknown_method"),
                   405};
  }
  return *signal;
}

std::optional<OtlpHttpHandler::Refused> OtlpHttpHandler::check_body(
    const http::RequestHead& head, http::ContentCoding& coding) const {
  if (head.headers.count("content-type") != 1 || !encoding_of(head.headers.get("content-type"))) {
    return Refused{
        OtlpHttpEvents::Refused::kUnsupported,
        invalid_argument("content-type must be application/x-protobuf or application/json")
            .with_reason("content_type"),
        415};
  }
  const auto parsed = http::parse_content_coding(head.headers.get("content-encoding"));
  if (head.headers.count("content-encoding") > 1 || !parsed.ok()) {
    return Refused{OtlpHttpEvents::Refused::kUnsupported,
                   invalid_argument("content-encoding must be one of " +
                                    std::string(http::kContentCodings) + ", once")
                       .with_reason("content_encoding"),
                   415};
  }
  coding = *parsed;
  const bool compressed = coding != http::ContentCoding::kIdentity;
  const std::size_t bytes_max =
      compressed ? options_.compressed_bytes_max : options_.decode.decoded_bytes_max;
  if (head.content_length.value_or(0) > bytes_max)
    return Refused{OtlpHttpEvents::Refused::kTooLarge,
                   too_large(compressed ? "the compressed body" : "the body", bytes_max)};
  return std::nullopt;
}

std::unique_ptr<http::BodyReader> OtlpHttpHandler::on_request(const http::RequestHead& head,
                                                              http::Responder responder) {
  if (cors_.enabled() && CorsPolicy::is_preflight(head)) {
    if (auto response = cors_.preflight(head)) {
      responder.send(*std::move(response));
      return nullptr;
    }
  }
  if (is_grpc(head)) {
    const Error error = wrong_port();
    events_.refused(OtlpHttpEvents::Refused::kUnsupported, head.peer_address, error);
    responder.send(rpc::error_response(error));
    return nullptr;
  }
  // A client that sends neither protobuf nor JSON is most likely a person, who can read JSON.
  const auto encoding =
      encoding_of(head.headers.get("content-type")).value_or(otlp::Encoding::kJson);
  HttpAnswer answer(std::move(responder), encoding,
                    accepted_coding(head.headers.get("accept-encoding")),
                    cors_.response_headers(head));
  const auto routed = route(head);
  if (const auto* refused = std::get_if<Refused>(&routed)) {
    if (refused->status == 405)
      answer.add_header("allow", cors_.enabled() ? "POST, OPTIONS" : "POST");
    refuse(answer, head.peer_address, refused->reason, refused->error, refused->status);
    return nullptr;
  }
  Body::Head body;
  body.signal = std::get<otlp::Signal>(routed);
  body.deadline = Deadline::after(clock_, options_.deadline_max);
  body.declared = head.content_length;
  body.peer = head.peer_address;
  auto metadata = gatekeeper_.admit(head, body.signal);
  if (!metadata.ok()) {
    if (metadata.error().code == Code::kUnauthenticated && !options_.challenge.empty())
      answer.add_header("www-authenticate", options_.challenge);
    refuse(answer, head.peer_address, OtlpHttpEvents::Refused::kNotAdmitted, metadata.error());
    return nullptr;
  }
  body.metadata = std::move(metadata).value();
  if (const auto refused = check_body(head, body.coding)) {
    const std::string_view reason = refused->error.reason;
    if (reason == "content_encoding")
      answer.add_header("accept-encoding", std::string(http::kContentCodings));
    if (reason == "content_type")
      answer.add_header("accept", "application/x-protobuf, application/json");
    refuse(answer, head.peer_address, refused->reason, refused->error, refused->status);
    return nullptr;
  }
  if (!budget_.admits()) {
    refuse(answer, head.peer_address, OtlpHttpEvents::Refused::kMemory, memory_error());
    return nullptr;
  }
  return std::make_unique<Body>(*this, std::move(body), std::move(answer), budget_.empty_permit());
}

}  // namespace spanway::otlp_server
