#include "services/lib/rpc/health_service.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/otlp/signal.h"
#include "services/lib/rpc/grpc_response.h"
#include "services/lib/rpc/message_reader.h"

namespace spanway::rpc {
namespace {

constexpr std::size_t kRequestBytesMax = 1024;
constexpr std::string_view kServingMessage("\x08\x01", 2);     // status: SERVING
constexpr std::string_view kNotServingMessage("\x08\x02", 2);  // status: NOT_SERVING

std::optional<std::uint64_t> take_varint(std::string_view& bytes) noexcept {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

// HealthCheckRequest.service, field 1; fields of length-delimited type that we do not know are
// skipped, anything else is malformed for a message of one string.
std::optional<std::string_view> parse_service(std::string_view message) noexcept {
  std::string_view service;
  while (!message.empty()) {
    const auto tag = take_varint(message);
    if (!tag || (*tag & 7) != 2) return std::nullopt;
    const auto length = take_varint(message);
    if (!length || *length > message.size()) return std::nullopt;
    const auto size = static_cast<std::size_t>(*length);
    if (*tag >> 3 == 1) service = message.substr(0, size);
    message.remove_prefix(size);
  }
  return service;
}

bool is_known(std::string_view service) noexcept {
  return service.empty() || std::ranges::any_of(otlp::kSignals, [&](otlp::Signal signal) {
           const std::string_view path = otlp::grpc_path(signal);
           return path.substr(1, path.rfind('/') - 1) == service;
         });
}

class HealthCheck final : public http::BodyReader {
 public:
  HealthCheck(http::Responder responder, const std::atomic<bool>& serving)
      : responder_(std::move(responder)),
        serving_(serving),
        reader_(http::ContentCoding::kIdentity, {.message_bytes_max = kRequestBytesMax}, Permit()) {
  }

  bool on_data(std::string_view data) override {
    Status status = reader_.append(data);
    if (!status.ok()) responder_.send(error_response(status.error()));
    return status.ok();
  }

  void on_end() override {
    if (Status status = reader_.finish(); !status.ok()) {
      responder_.send(error_response(status.error()));
      return;
    }
    const Bytes message = reader_.take_message();
    const std::optional<std::string_view> service = parse_service(message.view());
    if (!service) {
      responder_.send(error_response(invalid_argument("malformed HealthCheckRequest")));
    } else if (!is_known(*service)) {
      responder_.send(
          error_response(configuration_error(Code::kNotFound, "this server has no such service")));
    } else {
      const bool serving = serving_.load(std::memory_order_relaxed);
      responder_.send(ok_response(Bytes(serving ? kServingMessage : kNotServingMessage), false));
    }
  }

 private:
  http::Responder responder_;
  const std::atomic<bool>& serving_;
  MessageReader reader_;
};

}  // namespace

std::unique_ptr<http::BodyReader> health_check(http::Responder responder,
                                               const std::atomic<bool>& serving) {
  return std::make_unique<HealthCheck>(std::move(responder), serving);
}

}  // namespace spanway::rpc
